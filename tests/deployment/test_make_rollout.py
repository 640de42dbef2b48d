"""`make rollout` with the AWS provider, a registry and moto: up, stopped twice, up again, down.

The image is a file, because nothing runs it; the modules' copies ask for the provider's version at hand.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deployment.aws_stand_in import NEEDED, Cloud, cloud
from tests.deployment.modules import VALUES
from tests.deployment.moto_aws import client, made, prepare
from tests.deployment.terraform_provider import find_provider

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.getuid() != 0 or not all(map(shutil.which, NEEDED)), reason=f"needs root, and {', '.join(NEEDED)}"
    ),
]

RESOURCES = 15


@dataclass(frozen=True)
class Lives:
    """What each run said and left: images in ECR, resources in the state; `values` are those after the other name."""

    said: dict[str, tuple[int, str]]
    images: dict[str, int]
    resources: dict[str, int]
    values: str
    before: dict[str, int]
    after: dict[str, int]
    repositories: list[str]


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    """The life of one deployment."""
    provider = find_provider()
    if isinstance(provider, str):
        pytest.skip(provider)
    folder = tmp_path_factory.mktemp("rollout")
    said: dict[str, tuple[int, str]] = {}
    images: dict[str, int] = {}
    resources: dict[str, int] = {}
    with cloud(folder, provider) as there, an_image(there, folder):
        prepare(there.aws, {VALUES["input_bucket"], VALUES["output_bucket"]})
        before = made(there.aws)
        config = there.config("lambda")

        def keep(name: str, status: int, text: str) -> None:
            said[name] = (status, text)
            ecr = client(there.aws, "ecr")
            images[name] = len(ecr.list_images(repositoryName="yolov7")["imageIds"]) if repositories(there) else 0
            listed = subprocess.run(
                ["terraform", "state", "list"], cwd=config.parent, env=there.env, capture_output=True, text=True
            ).stdout.split()
            resources[name] = sum(not line.startswith("data.") for line in listed)

        def ended(name: str, *options: str) -> None:
            done = there.rollout("lambda", "--config", str(config), *options)
            keep(name, done.returncode, done.stdout + done.stderr)

        keep("after the push", *stopped(there, config, "planning with sha256:", signal.SIGTERM))
        keep("in the apply", *stopped(there, config, ": Creating...", signal.SIGINT))
        ended("whole", "--yes")
        other = there.config("lambda", name="other")
        shutil.copy(other, config.parent / "other.yaml")
        done = there.rollout("lambda", "--config", str(config.parent / "other.yaml"), "--yes")
        keep("another name", done.returncode, done.stdout + done.stderr)
        values = (config.parent / "bentoctl.tfvars").read_text()
        ended("destroyed", "--yes", "--destroy")
        yield Lives(said, images, resources, values, before, made(there.aws), repositories(there))


@contextlib.contextmanager
def an_image(there: Cloud, folder: Path) -> Iterator[None]:
    """An image of one file, inside the block, under the name that a build gives it."""
    code = "from deployment.rollout.push import tag_of; print(tag_of('yolov7-tiny-scenes', 'x86_64'))"
    asked = subprocess.run([sys.executable, "-c", code], env=there.env, capture_output=True, text=True, check=True)
    name = f"yolov7:{asked.stdout.strip()}"
    (folder / "context").mkdir()
    (folder / "context" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /x\n")
    subprocess.run(["podman", "build", "--quiet", "--tag", name, str(folder / "context")], check=True)
    try:
        yield
    finally:
        subprocess.run(["podman", "rmi", "--force", name], check=True, capture_output=True)


def repositories(there: Cloud) -> list[str]:
    """The names of ECR's repositories."""
    return [one["repositoryName"] for one in client(there.aws, "ecr").describe_repositories()["repositories"]]


def stopped(there: Cloud, config: Path, at: str, number: int) -> tuple[int, str]:
    """A run that a signal stops when it prints a line: its status and what it said."""
    command = there.command("lambda", "--config", str(config), "--yes")
    with subprocess.Popen(
        command, env=there.env, cwd=there.checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if at in line and process.poll() is None:
                process.send_signal(number)
                at = "\0"  # Once.
        status = process.wait()
    return status, "".join(lines)


def test_before_anything_changes_it_says_what_will_and_what_that_costs(lives: Lives) -> None:
    _, text = lives.said["after the push"]
    shown, _, later = text.partition("pushing ")
    assert f"yolov7-lambda in eu-central-1: create {RESOURCES}, change 0, replace 0, destroy 0" in shown
    assert "+ aws_lambda_function.this\n" in shown
    assert "at rest it costs 0 USD a month, without images in ECR, " in shown
    assert "is here already: not built again" in shown and later


def test_stopped_after_the_push_it_has_made_nothing_but_the_image(lives: Lives) -> None:
    status, text = lives.said["after the push"]
    assert (status, lives.images["after the push"], lives.resources["after the push"]) == (130, 1, 0), text
    assert text.endswith("stopped: run the same command again to go on\n")


def test_stopped_in_the_apply_it_keeps_what_it_made(lives: Lives) -> None:
    status, text = lives.said["in the apply"]
    assert status == 130, text
    assert "is in ECR already: neither built nor pushed" in text
    assert "terraform finishes what it has begun and keeps the state" in text
    assert 0 < lives.resources["in the apply"] < RESOURCES


def test_the_next_run_makes_the_rest(lives: Lives) -> None:
    status, text = lives.said["whole"]
    missing = RESOURCES - lives.resources["in the apply"]
    assert (status, lives.resources["whole"], lives.images["whole"]) == (0, RESOURCES, 1), text
    assert f"create {missing}, " in text
    assert "AUTH=iam" in text.splitlines()[-1] and "make smoke TARGET=https://" in text.splitlines()[-1]


def test_the_state_of_another_deployment_is_not_touched(lives: Lives) -> None:
    status, text = lives.said["another name"]
    assert status == 1
    assert "is of deployment yolov7-lambda, the config names other: name it yolov7-lambda again, or use a " in text
    assert lives.resources["another name"] == RESOURCES
    assert 'deployment_name = "yolov7-lambda"' in lives.values


def test_destroy_leaves_nothing(lives: Lives) -> None:
    status, text = lives.said["destroyed"]
    assert (status, lives.resources["destroyed"], lives.repositories) == (0, 0, []), text
    assert lives.after == lives.before
