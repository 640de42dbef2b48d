"""The common part of both bentoctl operators: build context of a Bento, ECR, values for Terraform, mending of bentoctl.

It runs in bentoctl's own environment, with boto3 and an old BentoML, and reads this checkout's templates.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import bentoctl.cli
import bentoctl.deployment_config
import bentoctl.utils.terraform
import boto3
import click
import docker
from bentoctl.exceptions import BentoctlException, InvalidDeploymentConfig
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from state_backend import write_backend  # noqa: E402

from deployment.image.context import ImageError, make_context  # noqa: E402
from detection.card import NETWORK  # noqa: E402
from model_store.files import write_atomically  # noqa: E402

Spec = dict[str, Any]

VALUES = "bentoctl.tfvars"
TAG = "deployment/"  # Prefix of the repository's tags, one for each deployment that uses it.
BUCKET = "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
KEY = "arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+"

# The fields that the `spec` of both platforms has; their names are the variables of the Terraform modules.
COMMON_SCHEMA: dict[str, Any] = {
    "region": {"type": "string", "required": True, "minlength": 1, "help_message": "AWS region, e.g. eu-central-1"},
    "repository": {
        "type": "string",
        "default": "yolov7",
        "regex": "[a-z0-9]+([._-][a-z0-9]+)*",
        "help_message": "ECR repository; with the same one for all platforms, all run the same image",
    },
    "architecture": {"type": "string", "default": "x86_64", "allowed": ["x86_64", "arm64"]},
    "input_bucket": {"type": "string", "required": True, "regex": BUCKET},
    "output_bucket": {"type": "string", "required": True, "regex": BUCKET},
    "result_prefix": {"type": "string"},
    "state_bucket": {
        "type": "string",
        "regex": BUCKET,
        "help_message": "bucket of the region for Terraform's state; without it the state is a file in this folder",
    },
    "tags": {"type": "dict", "keysrules": {"type": "string"}, "valuesrules": {"type": "string"}},
    "log_retention_days": {
        "type": "integer",
        "allowed": [
            0,
            1,
            3,
            5,
            7,
            14,
            30,
            60,
            90,
            120,
            150,
            180,
            365,
            400,
            545,
            731,
            1096,
            1827,
            2192,
            2557,
            2922,
            3288,
            3653,
        ],
    },
    "kms_key_arn": {"type": "string", "regex": KEY},
    "bucket_kms_key_arns": {"type": "list", "schema": {"type": "string", "regex": KEY}},
    "alarm_actions": {"type": "list", "schema": {"type": "string"}},
    "dashboard": {"type": "boolean"},
}


class OperatorError(BentoctlException):  # type: ignore[misc]
    """An error that the user can correct; its message is one line that says what is wrong and what to do."""


def create_deployable(
    bento_path: str, destination_dir: str, bento_metadata: Mapping[str, Any], overwrite_deployable: bool = True
) -> str:
    """Write the image's build context below `destination_dir`, whose Bento bentoctl deletes; returns the context."""
    _require_docker()
    bento = Path(bento_path)
    models = sorted(bento.glob(f"models/*/*/{NETWORK}"))
    if len(models) != 1:
        raise OperatorError(f"the Bento has {len(models)} models, the image takes one: build the Bento with make image")
    model = models[0].parent
    context = Path(destination_dir) / "context"
    if overwrite_deployable:
        shutil.rmtree(context, ignore_errors=True)
    try:
        make_context(bento, model, context)
    except ImageError as exc:
        raise OperatorError(str(exc)) from None
    return str(context)


def _require_docker() -> None:
    if not shutil.which("docker"):
        raise OperatorError("docker is not installed: bentoctl builds with docker and its buildx plugin")
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        raise OperatorError("docker is not running: start it, then run bentoctl build again")


@contextmanager
def _aws(what: str) -> Iterator[None]:
    """Raise each error of AWS as an OperatorError of one line, without credentials."""
    try:
        yield
    except ClientError as exc:
        code = exc.response.get("Error", {}).get("Code", "unknown")
        raise OperatorError(f"ECR refused to {what} ({code}): check the credentials and their permissions") from None
    except (NoCredentialsError, PartialCredentialsError):
        raise OperatorError(f"no AWS credentials to {what}: set a profile, a role or keys") from None
    except BotoCoreError as exc:
        reason = " ".join(str(exc).split())[:200]
        raise OperatorError(f"the request to AWS to {what} failed: {reason}") from None


def _ecr(spec: Spec) -> Any:
    return boto3.Session().client("ecr", region_name=spec["region"])


def create_repository(repository_name: str, operator_spec: Spec) -> tuple[str, str, str]:
    """Create the ECR repository unless it exists, tag it with this deployment, and return its URL, user and password.

    bentoctl passes the deployment's name, which becomes the tag; the name of the repository is in the spec.
    """
    spec, name = operator_spec, operator_spec["repository"]
    with _aws(f"create repository {name}"):
        ecr = _ecr(spec)
        try:
            found = ecr.create_repository(
                repositoryName=name,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
                encryptionConfiguration={"encryptionType": "AES256"},
            )["repository"]
        except ecr.exceptions.RepositoryAlreadyExistsException:
            found = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(LIFECYCLE))
        ecr.set_repository_policy(repositoryName=name, policyText=json.dumps(PULL_BY_LAMBDA))
        used = [{"Key": f"{TAG}{repository_name}", "Value": "in use"}]
        ecr.tag_resource(resourceArn=found["repositoryArn"], tags=used)
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    spec["repository_arn"] = found["repositoryArn"]
    return found["repositoryUri"], user, password


# Lambda pulls images as the service Lambda, not with the function's role.
PULL_BY_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "PullByLambda",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        }
    ],
}
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Untagged images",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 7,
            },
            "action": {"type": "expire"},
        },
        {
            "rulePriority": 2,
            "description": "Versions beyond the 20 newest",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 20},
            "action": {"type": "expire"},
        },
    ]
}


def delete_repository(repository_name: str, operator_spec: Spec) -> None:
    """Delete the ECR repository with its images, unless another deployment uses it."""
    spec, name = operator_spec, operator_spec["repository"]
    with _aws(f"delete repository {name}"):
        ecr = _ecr(spec)
        try:
            arn = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryArn"]
        except ecr.exceptions.RepositoryNotFoundException:
            return
        ecr.untag_resource(resourceArn=arn, tagKeys=[f"{TAG}{repository_name}"])
        tags = [tag["Key"] for tag in ecr.list_tags_for_resource(resourceArn=arn)["tags"]]
        others = sorted(tag.removeprefix(TAG) for tag in tags if tag.startswith(TAG))
        if others:
            click.echo(f"ECR repository {name} stays: {', '.join(others)} uses it")
            return
        ecr.delete_repository(repositoryName=name, force=True)


def look_at_repository(operator_spec: Spec) -> None:
    """Raise OperatorError where delete_repository would for want of credentials, of access or of a network."""
    name = operator_spec["repository"]
    with _aws(f"find repository {name}"):
        ecr = _ecr(operator_spec)
        with suppress(ecr.exceptions.RepositoryNotFoundException):
            ecr.describe_repositories(repositoryNames=[name])


def generator(module: str, check: Callable[[Spec], str | None]) -> Callable[..., list[str]]:
    """The operator's `generate` for a Terraform module; `check` returns the fault of a spec in one line, or None."""

    def generate(
        name: str, spec: Spec, template_type: str, destination_dir: str, values_only: bool = True
    ) -> list[str]:
        """Write the module's missing files and the values; returns the written files."""
        wrong = check(spec)
        if wrong:
            raise OperatorError(wrong)
        target = Path(destination_dir)
        values = {"deployment_name": name, **spec}
        if "image_tag" in spec:
            values["image_uri"] = image_uri(spec)
        else:  # bentoctl generate after bentoctl build keeps the built image.
            values |= {k: v for k, v in _kept(target).items() if k not in values}
        written = []
        folder = ROOT / "deployment" / "terraform" / module
        variables = "".join(file.read_text() for file in folder.glob("variables*.tf"))
        known = re.findall(r'^variable "(\w+)"', variables, re.M)
        values = {key: value for key, value in values.items() if key in known}
        for file in sorted(folder.glob("*.tf")):
            copy = target / file.name
            if copy.is_file() and copy.read_bytes() != file.read_bytes() and not values_only:
                raise OperatorError(f"{copy} has been changed: move it away, or use --values-only")
            if not copy.is_file():
                write_atomically(copy, file.read_bytes())
                written.append(str(copy))
        written += write_backend(name, spec, target)
        write_atomically(target / VALUES, (HEAD + to_tfvars(values)).encode())
        return [*written, str(target / VALUES)]

    return generate


HEAD = "# Written by bentoctl generate and bentoctl build, which overwrite it.\n"


def to_tfvars(values: Mapping[str, Any]) -> str:
    """Values in Terraform's language, which is JSON except for its templates; these are escaped."""
    lines = (f"{k} = {json.dumps(v).replace('${', '$${').replace('%{', '%%{')}" for k, v in values.items())
    return "\n".join(lines) + "\n"


def _kept(folder: Path) -> dict[str, Any]:
    """The values that an earlier `bentoctl build` wrote."""
    file = folder / VALUES
    text = file.read_text() if file.is_file() else ""
    return {k: json.loads(v) for k, v in re.findall(r'^(image_uri|repository_arn) = (".*")$', text, re.M)}


def image_uri(spec: Spec) -> str:
    """Repository and digest of the pushed image; raises OperatorError when its architecture is not the spec's."""
    tag = spec["image_tag"]
    repository, _, version = tag.rpartition(":")
    try:
        image = docker.from_env().images.get(tag)
    except docker.errors.DockerException:
        raise OperatorError(f"docker has no image {tag}: run bentoctl build again") from None
    architecture = {"amd64": "x86_64"}.get(image.attrs["Architecture"], image.attrs["Architecture"])
    if architecture != spec["architecture"]:
        wanted = "linux/amd64" if spec["architecture"] == "x86_64" else "linux/arm64"
        raise OperatorError(
            f"the image is for {architecture}, the spec says {spec['architecture']}: build for {wanted}"
        )
    digest = _digest_in_ecr(spec, version)
    pushed = [d for d in image.attrs.get("RepoDigests", []) if d.startswith(f"{repository}@")]
    if digest:
        return f"{repository}@{digest}"
    if pushed:
        return str(pushed[-1])
    raise OperatorError(f"{tag} has no digest, so it was not pushed: run bentoctl build again")


def _digest_in_ecr(spec: Spec, version: str) -> str | None:
    """The digest of a version in the repository, or None."""
    with _aws(f"describe {spec['repository']}:{version}"):
        ecr = _ecr(spec)
        try:
            found = ecr.describe_images(repositoryName=spec["repository"], imageIds=[{"imageTag": version}])
        except (ecr.exceptions.ImageNotFoundException, ecr.exceptions.RepositoryNotFoundException):
            return None
    return str(found["imageDetails"][0]["imageDigest"])


# All changes that bentoctl 0.4.0 needs for a Bento of BentoML 1.4.


def mend_bentoctl() -> None:
    """Make bentoctl 0.4.0 accept Bentos of BentoML 1.4, print errors in one line, and push an image once.

    Errors, Terraform's too, end it with status 1, and it looks for its credentials before it destroys.
    """

    def bento_metadata(bento_path: str) -> dict[str, Any]:
        # The original reads env/python/version.txt, which BentoML no longer writes.
        bento = bentoctl.deployment_config.Bento.from_fs(bentoctl.deployment_config.fs.open_fs(bento_path))
        return {"tag": bento.tag, "bentoml_version": bento.info.bentoml_version, "python_version": "3.11"}

    push = bentoctl.cli.push_docker_image_to_repository

    def push_once(repository: str, image_tag: str | None = None, username: str | None = None,
                  password: str | None = None) -> None:  # fmt: skip
        # A second platform pushes the same version, which a repository with immutable tags refuses.
        name, _, version = repository.partition("/")[2].rpartition(":")
        region = re.search(r"\.ecr\.([a-z0-9-]+)\.", repository)
        if region and _digest_in_ecr({"region": region[1], "repository": name}, version):
            click.echo(f"{repository} is in ECR already: not pushed again")
            return
        try:
            push(repository=repository, image_tag=image_tag, username=username, password=password)
        except docker.errors.DockerException as exc:
            raise OperatorError(f"pushing {repository} failed ({str(exc)[:200]})") from None
        except KeyError:  # bentoctl reads the reason from a field that docker does not always set.
            raise OperatorError(f"pushing {repository} failed: check the credentials and the network") from None

    def tag(image_name: str, image_tag: str) -> None:
        # The original passes name and version as one name, which docker accepts and podman does not.
        repository, _, version = image_tag.rpartition(":")
        try:
            docker.from_env().images.get(image_name).tag(repository, version)
        except docker.errors.DockerException as exc:
            raise OperatorError(f"{image_name} cannot be tagged {image_tag} ({str(exc)[:200]})") from None

    def one_line(self: InvalidDeploymentConfig, msg: str | None = None, exc: object = None,
                 config_errors: object = None) -> None:  # fmt: skip
        if config_errors:
            msg = f"deployment_config.yaml: {'; '.join(_faults(config_errors))}"
        elif exc is not None:
            msg = f"deployment_config.yaml is not YAML: {' '.join(str(exc).split())[:200]}"
        BentoctlException.__init__(self, msg)

    _mend_statuses()
    bentoctl.deployment_config.get_bento_metadata = bento_metadata
    bentoctl.cli.tag_docker_image = tag
    if push.__name__ != "push_once":
        bentoctl.cli.push_docker_image_to_repository = push_once
    InvalidDeploymentConfig.__init__ = one_line


def _mend_statuses() -> None:
    run = bentoctl.utils.terraform.terraform_run
    apply, destroy = bentoctl.cli.terraform_apply, bentoctl.cli.terraform_destroy

    def show(self: BentoctlException) -> None:
        # The original returns, and bentoctl then exits with status 0.
        click.echo(f"Error [{type(self).__name__}]:  {self}")
        sys.exit(1)

    def checked_run(cmd: list[str], return_output: bool = False) -> Any:
        if return_output:
            return run(cmd, return_output=True)
        if not shutil.which("terraform"):
            return run(cmd)  # Says so.
        if subprocess.run(["terraform", *cmd]).returncode:
            raise OperatorError(f"terraform {cmd[0]} failed: correct what it says above, then run this command again")

    def careful_apply(auto_approve: bool) -> None:
        # The original looks for the folder .terraform, which a failed init leaves too.
        if not Path(".terraform.lock.hcl").is_file():
            checked_run(["init"])
        apply(auto_approve)

    def careful_destroy(auto_approve: bool) -> None:
        file = click.get_current_context().params["deployment_config_file"]
        look_at_repository(bentoctl.deployment_config.DeploymentConfig.from_file(file).operator_spec)
        destroy(auto_approve)

    BentoctlException.show = show
    bentoctl.utils.terraform.terraform_run = checked_run
    if destroy.__name__ != "careful_destroy":
        bentoctl.cli.terraform_apply, bentoctl.cli.terraform_destroy = careful_apply, careful_destroy


def _faults(errors: object, path: str = "") -> Iterator[str]:
    """cerberus's nested errors, each as `field: fault`."""
    if isinstance(errors, Mapping):
        for name, inner in errors.items():
            yield from _faults(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(errors, list):
        for inner in errors:
            yield from _faults(inner, path)
    else:
        yield f"{path}: {errors}"
