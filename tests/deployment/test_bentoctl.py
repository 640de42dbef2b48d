"""Runs bentoctl with our two operators in its own environment; ECR is a moto server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.checkout import ROOT
from tests.deployment.modules import needs_terraform
from tests.deployment.moto_aws import REGION, client, moto_server
from tests.deployment.terraform_files import arguments, read_text

pytestmark = pytest.mark.slow

DEPLOYMENT = ROOT / "deployment"
BIN = ROOT / ".bentoctl" / "bin"
CONFIGS = ("aws-lambda", "aws-ecs", "aws-fargate")
OPERATORS = {"aws_lambda": "lambda", "aws_ecs": "ecs"}


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    assert (BIN / "bentoctl").is_file(), "bentoctl is not installed: make bentoctl"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with both operators and without credentials."""
    env = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "BENTOCTL_HOME": str(tmp_path_factory.mktemp("bentoctl")),
        "BENTOML_HOME": os.environ["BENTOML_HOME"],
        "BENTOML_DO_NOT_TRACK": "True",
        "PYTHONWARNINGS": "ignore",
        "HOME": str(tmp_path_factory.mktemp("home")),
        "AWS_EC2_METADATA_DISABLED": "true",
        "COLUMNS": "500",
    }
    install_operators(env)
    return env


def install_operators(env: dict[str, str]) -> None:
    """Install both operators in an environment's BENTOCTL_HOME."""
    for name in OPERATORS:
        shown = bentoctl(env, ROOT, "operator", "install", str(DEPLOYMENT / "operators" / name))
        assert f"Installed yolov7-{name.replace('_', '-')}" in shown, shown


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one platform's folder, with its config only."""
    name = getattr(request, "param", "aws-lambda")
    (tmp_path / name).mkdir()
    shutil.copyfile(DEPLOYMENT / name / "deployment_config.yaml", tmp_path / name / "deployment_config.yaml")
    return tmp_path / name


def bentoctl(env: dict[str, str], folder: Path, *arguments: str) -> str:
    """The output of a bentoctl command."""
    return ended(env, folder, *arguments).stdout


def ended(env: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A bentoctl command that has ended, whether well or not."""
    done = subprocess.run(["bentoctl", *arguments], env=env, cwd=folder, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def change(folder: Path, **spec: Any) -> None:
    """Set fields of a config's spec; None deletes a field."""
    file = folder / "deployment_config.yaml"
    config = yaml.safe_load(file.read_text())
    config["spec"] = {k: v for k, v in (config["spec"] | spec).items() if v is not None}
    file.write_text(yaml.safe_dump(config))


def values(folder: Path) -> dict[str, Any]:
    """The values written for Terraform."""
    lines = (folder / "bentoctl.tfvars").read_text().splitlines()
    return {k: json.loads(v) for k, _, v in (line.partition(" = ") for line in lines if not line.startswith("#"))}


@pytest.mark.parametrize("folder", CONFIGS, indirect=True)
def test_generate_writes_the_module_and_the_values(folder: Path, environment: dict[str, str]) -> None:
    module = "lambda" if folder.name == "aws-lambda" else "ecs"
    bentoctl(environment, folder, "generate")
    written = {file.name: file.read_bytes() for file in folder.glob("*.tf")}
    assert written == {file.name: file.read_bytes() for file in (DEPLOYMENT / "terraform" / module).glob("*.tf")}
    config = yaml.safe_load((folder / "deployment_config.yaml").read_text())
    found = values(folder)
    assert found.pop("deployment_name") == config["name"]
    assert found.pop("env") == config["env"]
    assert found.pop("architecture") == "x86_64"
    assert found == config["spec"]
    assert not list(folder.glob("*.part"))


def test_generate_again_keeps_what_build_found_and_refuses_to_overwrite_edits(
    folder: Path, environment: dict[str, str]
) -> None:
    bentoctl(environment, folder, "generate")
    with (folder / "bentoctl.tfvars").open("a") as file:
        file.write('image_uri = "123.dkr.ecr.eu-central-1.amazonaws.com/yolov7@sha256:0"\n')
    bentoctl(environment, folder, "generate")
    assert values(folder)["image_uri"].endswith("@sha256:0")
    (folder / "main.tf").write_text("# mine\n")
    shown = bentoctl(environment, folder, "generate")
    assert "main.tf has been changed: move it away, or use --values-only" in shown
    assert (folder / "main.tf").read_text() == "# mine\n"
    bentoctl(environment, folder, "generate", "--values-only")
    assert (folder / "main.tf").read_text() == "# mine\n"


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "an unknown field": ("aws-lambda", {"colour": "blue"}, "colour: unknown field"),
    "memory 100": ("aws-lambda", {"memory_size": 100}, "memory_size: min value is 512"),
    "an empty bucket name": ("aws-lambda", {"input_bucket": ""}, "input_bucket: value does not match regex"),
    "a missing region": ("aws-lambda", {"region": None}, "region: required field"),
    "a missing region, ECS": ("aws-ecs", {"region": None}, "region: required field"),
    "min above max": ("aws-ecs", {"min_tasks": 9}, "min_tasks 9 is above max_tasks 5: correct one of them"),
    "min workers above max": (
        "aws-ecs", {"min_workers": 9, "max_workers": 2}, "min_workers 9 is above max_workers 2: correct one of them",
    ),
    "instances as well": ("aws-ecs", {"max_instances": 1, "min_instances": 2}, "min_instances 2 is above"),
    "a launch type there is not": ("aws-ecs", {"launch_type": "MOON"}, "launch_type: unallowed value MOON"),
    "JWT without an issuer": ("aws-lambda", {"authorizer": "JWT"}, "authorizer JWT needs jwt_issuer and jwt_audience"),
    "a page that nobody can use": ("aws-lambda", {"page": True}, "page needs authorizer JWT or NONE"),
    "more warm than reserved": (
        "aws-lambda", {"reserved_concurrency": 1, "provisioned_concurrency": 2},
        "provisioned_concurrency 2 is above reserved_concurrency 1: correct one of them",
    ),
    "results that start the function": (
        "aws-lambda", {"s3_trigger": True, "output_bucket": "my-pictures"}, "needs a trigger_prefix and result_prefix",
    ),
    "results that are messages again": (
        "aws-ecs", {"queue": True, "output_bucket": "my-pictures"}, "needs a trigger_prefix and result_prefix",
    ),
    "a period that logs do not have": ("aws-ecs", {"log_retention_days": 2}, "log_retention_days: unallowed value 2"),
    "an image for another processor": (
        "aws-ecs", {"architecture": "arm64"}, "instance_type t3a.xlarge has an x86_64 processor, architecture is arm64",
    ),
    "open without TLS": ("aws-ecs", {"internet_facing": True}, "internet_facing needs certificate_arn, or allow_plain"),
    "open to nobody": (
        "aws-ecs", {"internet_facing": True, "allow_plain_http": True}, "internet_facing needs allowed_cidrs",
    ),
    "half an identity provider": ("aws-ecs", {"oidc": {"issuer": "https://a.example"}}, "client_id: required field"),
    "two ways to be warm": (
        "aws-lambda", {"snap_start": True, "provisioned_concurrency": 1}, "snap_start and provisioned_concurrency",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_config_is_one_clear_line_and_nothing_is_written(
    case: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    name, spec, said = BAD[case]
    shutil.copyfile(DEPLOYMENT / name / "deployment_config.yaml", tmp_path / "deployment_config.yaml")
    change(tmp_path, **spec)
    done = ended(environment, tmp_path, "generate")
    shown = done.stdout
    assert said in shown
    assert done.returncode == 1
    assert shown.strip().count("\n") == 0, shown
    assert [file.name for file in tmp_path.iterdir()] == ["deployment_config.yaml"]


def test_a_bento_that_does_not_exist_is_one_clear_line(folder: Path, environment: dict[str, str]) -> None:
    shown = bentoctl(environment, folder, "build", "-b", "yolov7:none")
    assert "Bento with tag <yolov7:none> not found in Bento Store." in shown
    assert [file.name for file in folder.iterdir()] == ["deployment_config.yaml"]


def test_no_terraform_is_one_clear_line(folder: Path, environment: dict[str, str]) -> None:
    bentoctl(environment, folder, "generate")
    shown = bentoctl(environment | {"PATH": str(BIN)}, folder, "apply")
    assert "terraform not available" in shown
    assert shown.strip().count("\n") == 0


@needs_terraform
def test_apply_hands_the_files_to_terraform(folder: Path, environment: dict[str, str]) -> None:
    bentoctl(environment, folder, "generate")
    (folder / "none").mkdir()
    done = ended(environment | {"TF_CLI_ARGS_init": "-plugin-dir=none"}, folder, "apply", "--auto-approve")
    assert "Initializing provider plugins" in done.stdout
    assert "hashicorp/aws" in done.stderr
    assert "terraform init failed" in done.stdout.splitlines()[-1]
    assert "terraform apply" not in done.stdout  # It is not tried.
    assert done.returncode == 1


# Terraform knows this kind of resource without a provider; bentoctl wants an init, which only a module needs.
SOMETHING = 'resource "terraform_data" "this" {lifecycle}\noutput "id" {\n  value = terraform_data.this.id\n}\n'


def deployed(env: dict[str, str], folder: Path, lifecycle: str = "{}") -> None:
    """Let bentoctl apply a deployment that needs no AWS."""
    (folder / "part").mkdir(exist_ok=True)
    (folder / "part" / "main.tf").write_text(SOMETHING.replace("{lifecycle}", lifecycle))
    (folder / "main.tf").write_text(
        'module "part" {\n  source = "./part"\n}\noutput "id" {\n  value = module.part.id\n}\n'
    )
    (folder / "bentoctl.tfvars").write_text("")
    assert ended(env, folder, "apply", "--auto-approve").returncode == 0
    assert things(env, folder)


def things(env: dict[str, str], folder: Path) -> list[str]:
    """What Terraform keeps in its state."""
    command = ["terraform", "state", "list"]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=True).stdout.split()


@needs_terraform
def test_apply_tries_again_after_a_failed_init(folder: Path, environment: dict[str, str], moto: dict[str, str]) -> None:
    (folder / ".terraform").mkdir()  # What a failed init leaves.
    deployed(environment | moto, folder)


@needs_terraform
def test_apply_fails_when_terraform_fails(folder: Path, environment: dict[str, str], moto: dict[str, str]) -> None:
    deployed(environment | moto, folder)
    (folder / "main.tf").write_text('output "id" {\n  value = terraform_data.gone.id\n}\n')
    done = ended(environment | moto, folder, "apply", "--auto-approve")
    assert done.returncode == 1
    assert "terraform apply failed: correct what it says above" in done.stdout.splitlines()[-1]


@needs_terraform
def test_destroy_without_credentials_destroys_nothing(
    folder: Path, environment: dict[str, str], moto: dict[str, str]
) -> None:
    deployed(environment | moto, folder)
    done = ended(environment, folder, "destroy", "--auto-approve")
    assert (done.returncode, things(environment, folder)) == (1, ["module.part.terraform_data.this"])
    assert done.stdout.strip().endswith("no AWS credentials to find repository yolov7: set a profile, a role or keys")


@needs_terraform
def test_a_destroy_that_fails_keeps_the_images(folder: Path, environment: dict[str, str], moto: dict[str, str]) -> None:
    env = environment | moto
    client(moto, "ecr").create_repository(repositoryName="yolov7")
    deployed(env, folder, "{\n  lifecycle {\n    prevent_destroy = true\n  }\n}")
    done = ended(env, folder, "destroy", "--auto-approve")
    assert "terraform apply failed" in done.stdout
    assert (done.returncode, things(env, folder)) == (1, ["module.part.terraform_data.this"])
    assert client(moto, "ecr").describe_repositories(repositoryNames=["yolov7"])["repositories"]
    deployed(env, folder)
    done = ended(env, folder, "destroy", "--auto-approve")
    assert (done.returncode, things(env, folder)) == (0, [])
    assert client(moto, "ecr").describe_repositories()["repositories"] == []


@needs_terraform
def test_on_another_machine_without_the_state_destroy_deletes_nothing(
    folder: Path, environment: dict[str, str], moto: dict[str, str], tmp_path: Path
) -> None:
    env, ecr = environment | moto, client(moto, "ecr")
    ecr.create_repository(repositoryName="yolov7")
    deployed(env, folder)
    elsewhere = shutil.copytree(folder, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("*tfstate*"))
    done = ended(env, elsewhere, "destroy", "--auto-approve")
    assert done.returncode == 1
    assert "yolov7-lambda is applied, and this folder does not have its Terraform state" in done.stdout
    assert ecr.describe_repositories(repositoryNames=["yolov7"])["repositories"]
    done = ended(env, folder, "destroy", "--auto-approve")
    assert (done.returncode, things(env, folder)) == (0, [])
    assert ecr.describe_repositories()["repositories"] == []


@needs_terraform
def test_destroy_takes_down_what_a_failed_apply_has_made(
    folder: Path, environment: dict[str, str], moto: dict[str, str]
) -> None:
    env = environment | moto
    deployed(env, folder)
    state = json.loads((folder / "terraform.tfstate").read_text())
    (folder / "terraform.tfstate").write_text(json.dumps(state | {"outputs": {}}))
    done = ended(env, folder, "destroy", "--auto-approve")
    assert (done.returncode, things(env, folder)) == (0, []), done.stdout


@needs_terraform
def test_apply_ends_with_the_command_that_checks_the_deployment(
    folder: Path, environment: dict[str, str], moto: dict[str, str]
) -> None:
    deployed(environment | moto, folder)
    with (folder / "main.tf").open("a") as file:
        file.write('output "endpoint" {\n  value = "https://abc.execute-api.eu-central-1.amazonaws.com"\n}\n')
    done = ended(environment | moto, folder, "apply", "--auto-approve")
    command = "make smoke TARGET=https://abc.execute-api.eu-central-1.amazonaws.com AUTH=iam"
    assert done.stdout.splitlines()[-1] == f"to check it: {command}"


def operator(env: dict[str, str], name: str, code: str) -> Any:
    """The JSON that Python code prints in bentoctl's environment, with an operator's module as `op`."""
    lines = f"import sys, json; sys.path.insert(0, {str(DEPLOYMENT / 'operators' / name)!r})\n"
    lines += f"import operator_config as config; import {name}_operator as op\n{code}"
    done = subprocess.run([str(BIN / "python"), "-c", lines], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_terraform
@pytest.mark.parametrize("folder", CONFIGS, indirect=True)
def test_before_a_build_terraform_says_what_to_run_first(folder: Path, environment: dict[str, str]) -> None:
    bentoctl(environment, folder, "generate")
    for file in folder.glob("*.tf"):  # Only the variables need no provider.
        if not file.name.startswith("variables"):
            file.unlink()
    command = ["terraform", "plan", "-no-color", "-input=false", "-var-file=bentoctl.tfvars"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert "image_uri must name the image by digest" in done.stderr
    assert "run bentoctl build first" in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize("name", OPERATORS)
def test_the_schema_is_the_modules_variables(name: str, environment: dict[str, str]) -> None:
    fields = set(operator(environment, name, "print(json.dumps(list(config.OPERATOR_SCHEMA)))"))
    text = "".join(f.read_text() for f in (DEPLOYMENT / "terraform" / OPERATORS[name]).glob("variables*.tf"))
    variables = set(re.findall(r'^variable "(\w+)"', text, re.M))
    # These come from the config's name and env, from the build, and the secret from the environment.
    others = {"deployment_name", "env", "image_uri", "repository_arn", "oidc_client_secret"}
    # These are for ECR and for Terraform's state.
    assert fields - {"repository", "state_bucket"} == variables - others


def test_the_state_is_a_file_here_or_in_the_bucket_of_the_spec(folder: Path, environment: dict[str, str]) -> None:
    bentoctl(environment, folder, "generate")
    assert not (folder / "backend.tf").exists()
    change(folder, state_bucket="my-state")
    bentoctl(environment, folder, "generate", "--values-only")
    (block,) = read_text((folder / "backend.tf").read_text())
    ((settings,),) = [backend.values() for backend in block.body["backend"]]
    assert dict(arguments(settings)) == {
        "bucket": '"my-state"',
        "key": '"yolov7-lambda/terraform.tfstate"',
        "region": '"eu-central-1"',
        "encrypt": True,
        "use_lockfile": True,
    }
    written = (folder / "backend.tf").read_text().partition("\n")[2]
    assert f"```\n{written}```\n" in (DEPLOYMENT / "README.md").read_text()
    change(folder, state_bucket=None)
    bentoctl(environment, folder, "generate", "--values-only")
    assert not (folder / "backend.tf").exists()


def test_a_backend_of_ones_own_stays(folder: Path, environment: dict[str, str]) -> None:
    (folder / "backend.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    bentoctl(environment, folder, "generate")
    assert 'backend "local"' in (folder / "backend.tf").read_text()


@needs_terraform
def test_a_team_shares_the_state_in_the_bucket_and_only_one_writes_it(
    folder: Path, environment: dict[str, str], moto: dict[str, str], tmp_path: Path
) -> None:
    s3 = client(moto, "s3")
    s3.create_bucket(Bucket="my-state", CreateBucketConfiguration={"LocationConstraint": REGION})
    change(folder, state_bucket="my-state")
    bentoctl(environment, folder, "generate")
    # A resource that needs no provider stands for the deployment.
    deployment = (
        'resource "terraform_data" "it" {\n  input = "%s"\n}\noutput "it" {\n  value = terraform_data.it.output\n}\n'
    )
    for colleague in ("mine", "yours"):
        (tmp_path / colleague).mkdir()
        shutil.copyfile(folder / "backend.tf", tmp_path / colleague / "backend.tf")
        (tmp_path / colleague / "main.tf").write_text(deployment % colleague)
        assert terraform_of(moto, tmp_path / colleague, "init").returncode == 0
    assert terraform_of(moto, tmp_path / "mine", "apply", "-auto-approve").returncode == 0
    shown = terraform_of(moto, tmp_path / "yours", "output", "-json")
    assert json.loads(shown.stdout)["it"]["value"] == "mine"
    assert not list(tmp_path.glob("*/terraform.tfstate"))

    lock = "yolov7-lambda/terraform.tfstate.tflock"
    s3.put_object(Bucket="my-state", Key=lock, Body=b'{"ID": "1", "Who": "a colleague"}')
    refused = terraform_of(moto, tmp_path / "yours", "apply", "-auto-approve")
    assert refused.returncode == 1 and "a colleague" in refused.stderr
    s3.delete_object(Bucket="my-state", Key=lock)
    assert terraform_of(moto, tmp_path / "yours", "apply", "-auto-approve").returncode == 0


@needs_terraform
def test_before_init_a_destroy_of_shared_state_stops_and_keeps_the_repository(
    folder: Path, environment: dict[str, str], moto: dict[str, str]
) -> None:
    ecr = client(moto, "ecr")
    ecr.create_repository(repositoryName="kept")
    change(folder, state_bucket="my-state", repository="kept")
    bentoctl(environment, folder, "generate")
    done = ended(environment | moto, folder, "destroy", "--auto-approve")
    assert done.returncode == 1 and "terraform init" in done.stdout, done.stdout
    assert ecr.describe_repositories(repositoryNames=["kept"])["repositories"]


def terraform_of(aws: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of Terraform with a moto server as AWS."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_"))} | aws
    env |= {"TF_INPUT": "0", "CHECKPOINT_DISABLE": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    return subprocess.run(["terraform", *arguments, "-no-color"], cwd=folder, env=env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A moto server, and the environment in which boto3 finds it."""
    with moto_server(tmp_path_factory.mktemp("moto") / "log") as env:
        yield env


def test_both_platforms_share_one_repository_until_the_last_is_destroyed(
    environment: dict[str, str], moto: dict[str, str]
) -> None:
    env = environment | moto
    ecr = client(moto, "ecr")
    spec = f"spec = {{'region': '{REGION}', 'repository': 'shared'}}\n"
    made = [
        operator(env, name, f"{spec}print(json.dumps([*op.create_repository('{name}', spec), spec]))")
        for name in OPERATORS
    ]
    assert made[0][:2] == made[1][:2]
    assert made[0][1] == "AWS"
    assert made[0][3]["repository_arn"].endswith(":repository/shared")
    [repository] = ecr.describe_repositories(repositoryNames=["shared"])["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"]["scanOnPush"]
    policy = json.loads(ecr.get_lifecycle_policy(repositoryName="shared")["lifecyclePolicyText"])
    assert [rule["action"]["type"] for rule in policy["rules"]] == ["expire", "expire"]
    delete = spec + "op.delete_repository('{}', spec); print(json.dumps(0))"
    operator(env, "aws_lambda", delete.replace("{}", "aws_lambda"))
    assert ecr.describe_repositories(repositoryNames=["shared"])["repositories"]
    operator(env, "aws_ecs", delete.replace("{}", "aws_ecs"))
    assert "shared" not in [r["repositoryName"] for r in ecr.describe_repositories()["repositories"]]
    operator(env, "aws_ecs", delete.replace("{}", "aws_ecs"))  # A second time it does nothing.


def test_no_credentials_is_one_clear_line(environment: dict[str, str]) -> None:
    code = (
        f"spec = {{'region': '{REGION}', 'repository': 'xyz'}}\n"
        "try: op.create_repository('x', spec)\n"
        "except Exception as exc: print(json.dumps([type(exc).__name__, str(exc)]))"
    )
    kind, said = operator(environment, "aws_lambda", code)
    assert kind == "OperatorError"
    assert said == "no AWS credentials to create repository xyz: set a profile, a role or keys"


def test_values_are_written_in_terraforms_language(environment: dict[str, str]) -> None:
    code = (
        "import deployment.rollout.files as y\n"
        "print(json.dumps(y.to_tfvars({'a': 'x\"${y}%{z}', 'b': [1, 'é'], 'c': {'k': True}, 'd': 1.5})))"
    )
    assert operator(environment, "aws_lambda", code) == (
        'a = "x\\"$${y}%%{z}"\nb = [1, "\\u00e9"]\nc = {"k": true}\nd = 1.5\n'
    )


def test_without_docker_a_build_stops_before_it_begins(environment: dict[str, str]) -> None:
    code = (
        "try: op.create_deployable('nowhere', 'nowhere', {})\n"
        "except Exception as exc: print(json.dumps([type(exc).__name__, str(exc)]))"
    )
    kind, said = operator(environment | {"PATH": str(BIN)}, "aws_lambda", code)
    assert (kind, said) == (
        "OperatorError",
        "docker is not installed: bentoctl builds with docker and its buildx plugin",
    )
