"""bentoctl itself with the AWS provider and moto: `generate`, `apply`, `apply` again, `destroy` on all platforms.

Changed are only the provider's version that the written versions.tf asks for, where the provider is in a folder, and
that no image is built: its digest is written as `bentoctl build` writes it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deployment.modules import REQUIRED, VALUES
from tests.deployment.moto_aws import client, made, moto_server, prepare
from tests.deployment.terraform_provider import environment, find_provider
from tests.deployment.test_bentoctl import BIN, CONFIGS, DEPLOYMENT, ended, install_operators, things

pytestmark = pytest.mark.slow

BUILT = {"image_uri": VALUES["image_uri"], "repository_arn": REQUIRED["ecs"]["repository_arn"]}
# A load balancer takes a minute until it is there, so the platforms are tried side by side.
STEPS = (("generate",), ("apply", "--auto-approve"), ("apply", "--auto-approve"), ("destroy", "--auto-approve"))


@dataclass(frozen=True)
class Lives:
    """What bentoctl said to each step, by config, and what there was in AWS before and after."""

    done: dict[str, list[subprocess.CompletedProcess[str]]]
    states: dict[str, list[int]]
    before: dict[str, int]
    after: dict[str, int]
    repositories: list[str]


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    """One life of a deployment on each platform."""
    provider = find_provider()
    if isinstance(provider, str):
        pytest.skip(provider)
    folder = tmp_path_factory.mktemp("bentoctl")
    done: dict[str, list[subprocess.CompletedProcess[str]]] = {}
    states: dict[str, list[int]] = {}
    with moto_server(folder / "moto.log") as aws:
        env = environment(aws)
        env |= {
            "PATH": f"{BIN}:{env['PATH']}",
            "BENTOCTL_HOME": str(folder),
            "COLUMNS": "500",
            "PYTHONWARNINGS": "ignore",
        }
        env |= {"TF_CLI_ARGS_init": " ".join(provider.init()[1:]), "BENTOML_DO_NOT_TRACK": "True"}
        install_operators(env)
        prepare(aws, {VALUES["input_bucket"], VALUES["output_bucket"]})
        before = made(aws)
        tags = [{"Key": f"deployment/{name.replace('aws', 'yolov7')}", "Value": "in use"} for name in CONFIGS]
        client(aws, "ecr").create_repository(repositoryName="yolov7", tags=tags)

        def live(name: str) -> None:
            here: Path = folder / name
            here.mkdir()
            shutil.copyfile(DEPLOYMENT / name / "deployment_config.yaml", here / "deployment_config.yaml")
            done[name], states[name] = [], []
            for step in STEPS:
                done[name].append(ended(env, here, *step))
                if step == ("generate",):
                    provider.accept(here)
                    build(here)
                else:
                    states[name].append(len([thing for thing in things(env, here) if "data." not in thing]))

        with ThreadPoolExecutor(len(CONFIGS)) as pool:
            list(pool.map(live, CONFIGS))
        repositories = [r["repositoryName"] for r in client(aws, "ecr").describe_repositories()["repositories"]]
        yield Lives(done, states, before, made(aws), repositories)


def build(folder: Path) -> None:
    """Write what `bentoctl build` adds to the values."""
    known = (folder / "variables.tf").read_text()
    with (folder / "bentoctl.tfvars").open("a") as file:
        file.writelines(f"{k} = {json.dumps(v)}\n" for k, v in BUILT.items() if f'variable "{k}"' in known)


@pytest.mark.parametrize(("name", "resources"), [("aws-lambda", 15), ("aws-ecs", 35), ("aws-fargate", 26)])
def test_bentoctl_applies_and_destroys(name: str, resources: int, lives: Lives) -> None:
    assert [done.returncode for done in lives.done[name]] == [0, 0, 0, 0], lives.done[name][-1].stderr
    assert lives.states[name] == [resources, resources, 0]
    _, first, again, last = (done.stdout for done in lives.done[name])
    assert f"{resources} added, 0 changed, 0 destroyed" in first
    assert f"{resources} destroyed" in last
    # moto forgets an ECS service's capacity provider, so the second time it is replaced; see moto_aws.FORGOTTEN.
    assert ("0 added" if name == "aws-lambda" else "1 added") in again


def test_nothing_is_left(lives: Lives) -> None:
    assert (lives.after, lives.repositories) == (lives.before, [])
