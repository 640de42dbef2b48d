"""AWS for `make rollout`: moto, a registry under ECR's name, and a checkout whose modules take the provider at hand.

ECR is a registry with an API: the registry is Debian's docker-registry in the mount namespace of a command, the API is
moto's. A wrapper of podman tells moto what was pushed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.checkout import ROOT
from local.processes import running, wait_until_ready
from tests.deployment.modules import MODULES
from tests.deployment.moto_aws import REGION, moto_server
from tests.deployment.terraform_provider import Provider, environment

HOST = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
ADDRESS = "127.0.0.3"
NEEDED = ("podman", "docker-registry", "unshare")

PODMAN = """#!{python}
import os, subprocess, sys, urllib.request
import boto3
done = subprocess.run(["{podman}", *sys.argv[1:]])
if sys.argv[1] == "push" and done.returncode == 0:
    host, _, rest = sys.argv[-1].partition("/")
    name, _, tag = rest.partition(":")
    kind = "application/vnd.oci.image.manifest.v1+json"
    request = urllib.request.Request(f"http://{{host}}/v2/{{name}}/manifests/{{tag}}", headers={{"Accept": kind}})
    with urllib.request.urlopen(request) as answer:
        digest, manifest = answer.headers["Docker-Content-Digest"], answer.read().decode()
    boto3.client("ecr", region_name="{region}").put_image(
        repositoryName=name, imageManifest=manifest, imageTag=tag, imageDigest=digest, imageManifestMediaType=kind)
sys.exit(done.returncode)
"""
REGISTRY = "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\nhttp: {{addr: {address}:80}}\n"


@dataclass(frozen=True)
class Cloud:
    """A checkout, its environment, and the registry's and AWS's addresses in it."""

    checkout: Path
    env: dict[str, str]
    aws: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        """`make rollout` in a namespace in which ECR's name leads to the registry."""
        hosts = self.checkout.parent / "hosts"
        script = f'mount --bind {hosts} /etc/hosts && exec "$@"'
        program = [sys.executable, "-m", "deployment.rollout", *arguments]
        return ["unshare", "--mount", "sh", "-c", script, "sh", *program]

    def rollout(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command that has ended, whether well or not."""
        done = subprocess.run(
            self.command(*arguments), env=self.env, cwd=self.checkout, capture_output=True, text=True, timeout=300
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def config(self, platform: str, name: str | None = None, **spec: Any) -> Path:
        """The config of a deployment in a new folder; None deletes a field."""
        source = self.checkout / "deployment" / f"aws-{platform}" / "deployment_config.yaml"
        content = yaml.safe_load(source.read_text())
        content["name"] = name or content["name"]
        content["spec"] = {k: v for k, v in (content["spec"] | spec).items() if v is not None}
        file: Path = self.checkout.parent / "deployments" / content["name"] / "deployment_config.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(content))
        return file


@contextlib.contextmanager
def cloud(folder: Path, provider: Provider) -> Iterator[Cloud]:
    """Run the stand-ins inside the block."""
    checkout = folder / "checkout"
    checkout.mkdir()
    for file in ROOT.iterdir():
        if file.name not in (".git", ".local", "deployment"):
            (checkout / file.name).symlink_to(file)
    shutil.copytree(ROOT / "deployment", checkout / "deployment", ignore=shutil.ignore_patterns("__pycache__"))
    for module in MODULES:
        provider.accept(checkout / "deployment" / "terraform" / module)
    (folder / "bin").mkdir()
    podman = folder / "bin" / "podman"
    podman.write_text(PODMAN.format(python=sys.executable, podman=shutil.which("podman"), region=REGION))
    podman.chmod(0o755)
    (folder / "registry.yml").write_text(REGISTRY.format(folder=folder, address=ADDRESS))
    (folder / "registries.conf").write_text(f'[[registry]]\nlocation = "{HOST}"\ninsecure = true\n')
    (folder / "hosts").write_text(Path("/etc/hosts").read_text() + f"\n{ADDRESS} {HOST}\n")
    command = ["docker-registry", "serve", str(folder / "registry.yml")]
    with (
        running(command, env=os.environ, log=folder / "registry.log") as process,
        moto_server(folder / "moto.log") as aws,
    ):
        url = f"http://{ADDRESS}/v2/"
        wait_until_ready(process, url, name="registry", log=folder / "registry.log", timeout_s=30)
        env = environment(aws) | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(checkout),
            "CONTAINER_ENGINE": "podman",
            "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
            "BENTOML_HOME": os.environ["BENTOML_HOME"],
            "TF_CLI_ARGS_init": " ".join(provider.init()[1:]),
        }
        yield Cloud(checkout, env, aws)
