"""The common part of both bentoctl operators: build context of a Bento, schema of the spec, mending of bentoctl.

It runs in bentoctl's own environment, with boto3 and an old BentoML, and reads this checkout's templates. What
`make rollout` does too is in deployment/rollout.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import bentoctl.cli
import bentoctl.deployment_config
import bentoctl.utils.terraform
import click
import docker
from bentoctl.exceptions import BentoctlException, InvalidDeploymentConfig

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from deployment.image.context import make_context  # noqa: E402
from deployment.rollout import registry  # noqa: E402
from deployment.rollout.files import smoke_command, write_files  # noqa: E402
from detection.card import NETWORK  # noqa: E402
from detection.errors import UserError  # noqa: E402

Spec = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])

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
}


class OperatorError(BentoctlException):  # type: ignore[misc]
    """An error that the user can correct; its message is one line that says what is wrong and what to do."""


def _in_one_line(function: F) -> F:
    """Make bentoctl print our errors as it prints its own."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UserError as exc:
            raise OperatorError(str(exc)) from None

    return wrapped  # type: ignore[return-value]


@_in_one_line
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
    make_context(bento, model, context)
    return str(context)


def _require_docker() -> None:
    if not shutil.which("docker"):
        raise OperatorError("docker is not installed: bentoctl builds with docker and its buildx plugin")
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        raise OperatorError("docker is not running: start it, then run bentoctl build again")


@_in_one_line
def create_repository(repository_name: str, operator_spec: Spec) -> tuple[str, str, str]:
    """Create the ECR repository unless it exists, tag it with this deployment, and return its URL, user and password.

    bentoctl passes the deployment's name, which becomes the tag; the name of the repository is in the spec.
    """
    arn, url, user, password = registry.create_repository(operator_spec, repository_name)
    operator_spec["repository_arn"] = arn
    return url, user, password


@_in_one_line
def delete_repository(repository_name: str, operator_spec: Spec) -> None:
    """Delete the ECR repository with its images, unless another deployment uses it or this one is still applied."""
    stays = registry.delete_repository(operator_spec, repository_name)
    if stays:
        click.echo(stays)


def generator(module: str) -> Callable[..., list[str]]:
    """The operator's `generate` for a Terraform module."""

    @_in_one_line
    def generate(
        name: str, spec: Spec, template_type: str, destination_dir: str, values_only: bool = True
    ) -> list[str]:
        """Write the module's missing files and the values; returns the written files."""
        # bentoctl generate after bentoctl build keeps the built image.
        image = functools.partial(image_uri, spec) if "image_tag" in spec else lambda: None
        return write_files(module, name, spec, Path(destination_dir), image_uri=image(), values_only=values_only)

    return generate


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
    found = registry.find_image(spec, imageTag=version)
    pushed = [d for d in image.attrs.get("RepoDigests", []) if d.startswith(f"{repository}@")]
    if found:
        return f"{repository}@{found['imageDigest']}"
    if pushed:
        return str(pushed[-1])
    raise OperatorError(f"{tag} has no digest, so it was not pushed: run bentoctl build again")


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
    in_ecr = _in_one_line(registry.find_image)

    def push_once(repository: str, image_tag: str | None = None, username: str | None = None,
                  password: str | None = None) -> None:  # fmt: skip
        # A second platform pushes the same version, which a repository with immutable tags refuses.
        name, _, version = repository.partition("/")[2].rpartition(":")
        region = re.search(r"\.ecr\.([a-z0-9-]+)\.", repository)
        if region and in_ecr({"region": region[1], "repository": name}, imageTag=version):
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
    mark, look = _in_one_line(registry.mark), _in_one_line(registry.look_at_repository)

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
        name, spec = _deployment()
        mark(spec, name, registry.APPLIED)
        apply(auto_approve)
        status, endpoint, _ = run(["output", "-raw", "endpoint"], return_output=True)
        if status == 0:
            click.echo(f"to check it: {smoke_command(endpoint.strip(), spec)}")

    def careful_destroy(auto_approve: bool) -> None:
        name, spec = _deployment()
        look(spec)
        destroy(auto_approve)
        mark(spec, name, registry.USED)

    def is_applied() -> bool:
        # The original looks for outputs, which a failed apply does not leave, and then leaves its resources alone.
        status, out, err = run(["state", "pull"], return_output=True)
        if status:
            raise OperatorError(" ".join(err.replace("│", " ").split())[:500])
        return bool(out.strip())

    BentoctlException.show = show
    bentoctl.cli.is_terraform_applied = is_applied
    bentoctl.utils.terraform.terraform_run = checked_run
    if destroy.__name__ != "careful_destroy":
        bentoctl.cli.terraform_apply, bentoctl.cli.terraform_destroy = careful_apply, careful_destroy


def _deployment() -> tuple[str, Spec]:
    """Name and spec of the config of the running command."""
    file = click.get_current_context().params["deployment_config_file"]
    config = bentoctl.deployment_config.DeploymentConfig.from_file(file)
    return config.deployment_name, config.operator_spec


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
