"""Terraform with the AWS provider, from a folder or from the registry, on copies of the modules."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local.checkout import ROOT
from tests.deployment.modules import FOLDER, MODULES, REQUIRED
from tests.deployment.moto_aws import REGION
from tests.deployment.terraform_program import PROGRAM

REGISTRY = "https://registry.terraform.io/.well-known/terraform.json"
_CONSTRAINT = re.compile(r'^( +version += )"(.*)"$', re.M)
_PROVIDER = re.compile(r'^provider "aws" \{\n.*?^\}\n', re.M | re.S)


@dataclass(frozen=True)
class Provider:
    """The provider at hand: in a folder as `terraform init -plugin-dir` wants it, or None for the registry."""

    folder: Path | None
    version: str | None

    def init(self) -> list[str]:
        """The command that initialises a folder with it."""
        return ["init"] if self.folder is None else ["init", f"-plugin-dir={self.folder}"]

    def accept(self, folder: Path) -> None:
        """Make a copy of a module ask for the version at hand."""
        if self.version is not None:
            file = folder / "versions.tf"
            file.write_text(_CONSTRAINT.sub(rf'\1"{self.version}"', file.read_text()))


@cache
def find_provider() -> Provider | str:
    """The provider, or the reason why there is none; fails the test if TERRAFORM_PLUGINS does not have it."""
    if PROGRAM is None:
        return "terraform is not installed"
    plugins = os.environ.get("TERRAFORM_PLUGINS")
    if plugins:
        folder = Path(plugins).resolve()
        found = [file.parent.parent.name for file in folder.glob("*/hashicorp/aws/*/*/terraform-provider-aws*")]
        if not found:
            pattern = "HOSTNAME/hashicorp/aws/VERSION/PLATFORM/terraform-provider-aws"
            what = f"has no {pattern}" if folder.is_dir() else "is not a folder"
            pytest.fail(f"TERRAFORM_PLUGINS={plugins} {what}", pytrace=False)
        return Provider(folder, max(found, key=lambda version: [int(part) for part in re.findall(r"\d+", version)]))
    try:
        urllib.request.urlopen(REGISTRY, timeout=5).close()
    except (urllib.error.URLError, OSError) as exc:
        return f"no AWS provider: TERRAFORM_PLUGINS is not set, and registry.terraform.io cannot be reached ({exc})"
    return Provider(None, None)


def asked_version() -> str:
    """The constraint on the provider's version in the modules."""
    constraint = _CONSTRAINT.search((FOLDER / MODULES[0] / "versions.tf").read_text())
    assert constraint is not None
    return constraint[2]


def environment(aws: dict[str, str]) -> dict[str, str]:
    """The environment of Terraform: of the user's credentials and settings nothing, but where to fetch providers."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_")) or k == "TF_CLI_CONFIG_FILE"}
    if not Path(kept.get("TF_CLI_CONFIG_FILE", "")).is_file():
        kept.pop("TF_CLI_CONFIG_FILE", None)
    cache_folder = ROOT / ".local" / "terraform-plugins"  # A provider is 700 MB; fetch it once.
    cache_folder.mkdir(parents=True, exist_ok=True)
    return kept | aws | {
        "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true",
        "TF_PLUGIN_CACHE_DIR": str(cache_folder), "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1",
    }  # fmt: skip


@dataclass(frozen=True)
class Root:
    """A folder with a copy of both modules, which its configuration calls once per variant."""

    folder: Path
    env: dict[str, str]
    provider: Provider
    timeout_s: float = 600

    def write(self, variants: dict[str, dict[str, Any]]) -> None:
        """Write the configuration: values by `NAME-MODULE`, which is also the deployment's name.

        The provider is configured here once, and not in the modules: Terraform would run a process of 0.5 GB for each.
        """
        calls = {}
        for name, values in variants.items():
            module = name.rpartition("-")[2]
            calls[name] = {"source": f"./{module}", **REQUIRED[module], "deployment_name": name, **values}
        for module in MODULES:
            copy = shutil.copytree(FOLDER / module, self.folder / module, dirs_exist_ok=True)
            self.provider.accept(copy)
            file = copy / "versions.tf"
            file.write_text(_PROVIDER.sub("", file.read_text()))
        aws = {"region": REGION, "default_tags": {"tags": {"Deployment": "all"}}}
        (self.folder / "main.tf.json").write_text(json.dumps({"provider": {"aws": aws}, "module": calls}))
        done = self.terraform(*self.provider.init())
        assert done.returncode == 0, done.stderr

    def terraform(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Terraform; raises TimeoutExpired."""
        assert PROGRAM is not None
        command = [PROGRAM, *arguments]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                out, err = process.communicate(timeout=self.timeout_s)
            except BaseException:  # The provider, a process of 0.6 GB, does not end with a killed Terraform.
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def messages(self, *arguments: str) -> list[dict[str, Any]]:
        """What a command says with -json, one message a line."""
        done = self.terraform(*arguments, "-json", "-parallelism=30")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def version(self) -> str:
        """The provider's version in use."""
        found = json.loads(self.terraform("version", "-json").stdout)["provider_selections"]
        return str(found["registry.terraform.io/hashicorp/aws"])


def errors(messages: list[dict[str, Any]]) -> list[str]:
    """The errors among messages."""
    found = [m["diagnostic"] for m in messages if m["type"] == "diagnostic" and m["@level"] == "error"]
    return [f"{d['summary']}: {d.get('detail', '')}" for d in found]


def changed(change: dict[str, Any]) -> set[str]:
    """The names of the attributes that a planned change sets."""
    before, after, unknown = change["before"] or {}, change["after"] or {}, change["after_unknown"] or {}
    return (
        {k for k in {*before, *after} if k in after and before.get(k) != after[k]}
        | {k for k, v in unknown.items() if "true" in json.dumps(v)}
        | {k for k in before if k not in after and k not in unknown}
    )
