"""`bentoctl build` for both platforms with a container engine, a registry, and moto as ECR.

Part of `make test-image`. A podman service plays docker's daemon; the registry is Debian's docker-registry on port 80
of the loopback address, under the name that ECR gives, in a mount namespace of the service alone.
"""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import bentoml
import pytest

from deployment.image.__main__ import build_bento
from local.processes import running, wait_until_ready
from tests.conftest import IMAGE, wait_for
from tests.deployment.moto_aws import REGION, client, moto_server
from tests.deployment.test_bentoctl import BIN, DEPLOYMENT, bentoctl, install_operators, values
from tests.deployment.test_image import engine

HOST = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
NEEDED = ("podman", "docker-registry", "unshare")

pytestmark = [
    pytest.mark.skipif(not IMAGE, reason="no image is named; make test-image builds one and names it"),
    pytest.mark.skipif(
        os.getuid() != 0 or not all(map(shutil.which, NEEDED)), reason=f"needs root, and {', '.join(NEEDED)}"
    ),
]

DOCKER = """#!/bin/sh
# The part of docker's command line that BentoML's buildx backend uses, on podman.
case "$1 ${2:-}" in
  "buildx --help") echo "--builder string"; exit 0 ;;
  "buildx version") echo "github.com/docker/buildx v0.10.0 0"; exit 0 ;;
  "buildx build")
    shift 2
    if [ -n "${PREBUILT:-}" ]; then
      while [ "$1" != --tag ]; do shift; done
      exec podman tag "$PREBUILT" "$2"
    fi
    for word in "$@"; do
      shift
      case "$word" in --load | --progress | auto) ;; *) set -- "$@" "$word" ;; esac
    done
    [ -z "${YOLOV7_BASE:-}" ] || set -- --build-arg "BASE=$YOLOV7_BASE" "$@"
    exec podman build --format docker --timestamp 0 $CONTAINER_BUILD_FLAGS "$@" ;;
esac
exec podman "$@"
"""
REGISTRY = """version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}
http: {{addr: 127.0.0.1:80}}
"""


@pytest.fixture(scope="module")
def bento(bundled_tag: str) -> bentoml.Bento:
    """The Bento of this checkout."""
    return build_bento(bundled_tag)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment in which bentoctl finds docker, a registry and ECR."""
    folder = tmp_path_factory.mktemp("rollout")
    (folder / "bin").mkdir()
    (folder / "bin" / "docker").write_text(DOCKER)
    (folder / "bin" / "docker").chmod(0o755)
    (folder / "registry.yml").write_text(REGISTRY.format(folder=folder))
    (folder / "registries.conf").write_text(f'[[registry]]\nlocation = "{HOST}"\ninsecure = true\n')
    (folder / "hosts").write_text(Path("/etc/hosts").read_text() + f"\n127.0.0.1 {HOST}\n")
    socket = folder / "podman.sock"
    script = f"mount --bind {folder}/hosts /etc/hosts && exec podman system service --time=0 unix://{socket}"
    service = ["unshare", "--mount", "sh", "-c", script]
    service_env = os.environ | {"CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf")}
    registry = ["docker-registry", "serve", str(folder / "registry.yml")]
    with (
        running(registry, env=os.environ, log=folder / "registry.log") as process,
        moto_server(folder / "moto.log") as moto,
        running(service, env=service_env, log=folder / "podman.log"),
    ):
        wait_until_ready(process, "http://127.0.0.1/v2/", name="registry", log=folder / "registry.log", timeout_s=30)
        assert wait_for(socket.exists, 20)
        env = (
            dict(os.environ)
            | moto
            | {
                "PATH": f"{folder / 'bin'}:{BIN}:{os.environ['PATH']}",
                "BENTOCTL_HOME": str(folder),
                "PYTHONWARNINGS": "ignore",
                "COLUMNS": "500",
                "DOCKER_HOST": f"unix://{socket}",
            }
        )
        install_operators(env)
        yield env


def layers(image: str) -> list[str]:
    """The digests of an image's layers."""
    found: list[str] = json.loads(engine("image", "inspect", image))[0]["RootFS"]["Layers"]
    return found


def test_both_platforms_get_the_same_digest(bento: bentoml.Bento, environment: dict[str, str], tmp_path: Path) -> None:
    # The first build installs the packages anew, by another Python, and its layers are still those of the image.
    afresh = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    found = {}
    for name in ("aws-lambda", "aws-ecs"):
        (tmp_path / name).mkdir()
        shutil.copyfile(DEPLOYMENT / name / "deployment_config.yaml", tmp_path / name / "deployment_config.yaml")
        env = environment | (afresh if name == "aws-lambda" else {})
        shown = bentoctl(env, tmp_path / name, "build", "-b", str(bento.tag))
        assert "Error" not in shown, shown
        found[name] = values(tmp_path / name)["image_uri"]
        assert (tmp_path / name / "main.tf").is_file()
    assert layers(f"localhost/yolov7-aws-lambda-yolov7:{bento.tag.version}") == layers(str(IMAGE))
    assert found["aws-lambda"] == found["aws-ecs"]
    assert found["aws-lambda"].startswith(f"{HOST}/yolov7@sha256:")
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    request = urllib.request.Request(f"http://127.0.0.1/v2/yolov7/manifests/{bento.tag.version}", headers=accept)
    with urllib.request.urlopen(request) as answer:
        digest, manifest = answer.headers["Docker-Content-Digest"], answer.read().decode()
    # On AWS the registry is ECR, which has the digest of the pushed image; podman only has its own.
    client(environment, "ecr").put_image(
        repositoryName="yolov7", imageManifest=manifest, imageTag=bento.tag.version, imageDigest=digest,
        imageManifestMediaType=accept["Accept"],
    )  # fmt: skip
    shown = bentoctl(environment, tmp_path / "aws-ecs", "build", "-b", str(bento.tag))
    assert "is in ECR already: not pushed again" in shown
    assert values(tmp_path / "aws-ecs")["image_uri"] == f"{HOST}/yolov7@{digest}"


def test_destroy_deletes_the_repository_when_nobody_uses_it(environment: dict[str, str], tmp_path: Path) -> None:
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed")
    shown = []
    for name in ("aws-lambda", "aws-ecs"):
        (tmp_path / name).mkdir()
        shutil.copyfile(DEPLOYMENT / name / "deployment_config.yaml", tmp_path / name / "deployment_config.yaml")
        shown.append(bentoctl(environment, tmp_path / name, "destroy", "--auto-approve"))
    assert "ECR repository yolov7 stays: yolov7-ecs uses it" in shown[0]
    assert "stays" not in shown[1]


@pytest.fixture
def prebuilt(environment: dict[str, str]) -> dict[str, str]:
    """The environment with an image at hand, for what happens after a build."""
    return environment | {"PREBUILT": str(IMAGE)}


def test_a_refused_push_is_one_clear_line(bento: bentoml.Bento, prebuilt: dict[str, str], tmp_path: Path) -> None:
    shutil.copyfile(DEPLOYMENT / "aws-lambda" / "deployment_config.yaml", tmp_path / "deployment_config.yaml")
    config = (
        (tmp_path / "deployment_config.yaml").read_text().replace(REGION, "eu-north-1")
    )  # There is no registry of that name.
    (tmp_path / "deployment_config.yaml").write_text(config)
    last = bentoctl(prebuilt, tmp_path, "build", "-b", str(bento.tag)).strip().splitlines()[-1]
    assert "Error" in last
    assert "push" in last
    assert [file.name for file in tmp_path.iterdir()] == ["deployment_config.yaml"]


def test_an_image_of_another_architecture_is_one_clear_line(
    bento: bentoml.Bento, prebuilt: dict[str, str], tmp_path: Path
) -> None:
    config = (DEPLOYMENT / "aws-lambda" / "deployment_config.yaml").read_text()
    config = config.replace("spec:", "spec:\n  architecture: arm64").replace("name: yolov7-lambda", "name: other")
    (tmp_path / "deployment_config.yaml").write_text(config)
    last = bentoctl(prebuilt, tmp_path, "build", "-b", str(bento.tag)).strip().splitlines()[-1]
    assert "the image is for x86_64, the spec says arm64: build " in last
    assert [file.name for file in tmp_path.iterdir()] == ["deployment_config.yaml"]
