"""The deployment_config.yaml of a platform, the same that bentoctl reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deployment.rollout.errors import RolloutError
from deployment.rollout.files import ROOT, variables_of

PLATFORMS = {"lambda": "lambda", "ecs": "ecs", "fargate": "ecs"}  # Each with its Terraform module.
OPERATORS = {"lambda": "yolov7-aws-lambda", "ecs": "yolov7-aws-ecs"}
FILE = "deployment_config.yaml"
MAX_BYTES = 100_000
NEEDED = ("region", "input_bucket", "output_bucket")
# Fields for ECR and for Terraform's state, which no module has as variables.
EXTRA = {"repository", "state_bucket"}
# Variables that come from elsewhere in the file, from the image, and from the environment.
ELSEWHERE = {"deployment_name", "env", "image_uri", "repository_arn", "oidc_client_secret"}
DEFAULTS = {"repository": "yolov7", "architecture": "x86_64"}


@dataclass(frozen=True)
class Config:
    """A deployment: its name, its module, its folder, and its spec with `env`, as the module's variables."""

    name: str
    module: str
    folder: Path
    spec: Mapping[str, Any]

    @property
    def region(self) -> str:
        """AWS's region."""
        return str(self.spec["region"])


def config_of(platform: str) -> Path:
    """The config in this checkout."""
    return ROOT / "deployment" / f"aws-{platform}" / FILE


def read_config(file: Path, platform: str) -> Config:
    """Read and judge a config; raises RolloutError in one line that names what is wrong."""
    module = PLATFORMS[platform]
    content = _mapping(file, _parsed(file), "the file")
    spec = _mapping(file, content.get("spec"), "spec")
    env = _mapping(file, content.get("env") or {}, "env")
    operator = _mapping(file, content.get("operator") or {}, "operator").get("name")
    if operator != OPERATORS[module]:
        raise RolloutError(f"{file}: operator {operator} is not of platform {platform}: it must be {OPERATORS[module]}")
    known = (set(variables_of(module)) | EXTRA) - ELSEWHERE
    for field in spec:
        if field not in known:
            raise RolloutError(f"{file}: spec.{field} is unknown: the fields are in deployment/terraform/{module}")
    for field in NEEDED:
        if not isinstance(spec.get(field), str) or not spec[field]:
            raise RolloutError(f"{file}: spec.{field} is missing: set it")
    for field in ("repository", "architecture", "state_bucket"):
        if not isinstance(spec.get(field, ""), str):
            raise RolloutError(f"{file}: spec.{field} must be a text")
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise RolloutError(f"{file}: name is missing: set it to the deployment's name")
    values = {**DEFAULTS, **spec}
    if env:
        values["env"] = {str(key): str(value) for key, value in env.items()}
    return Config(name, module, file.parent.absolute(), values)


def _parsed(file: Path) -> Any:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except OSError as exc:
        raise RolloutError(f"{file} cannot be read ({exc.strerror}): name a config by --config") from None
    if len(data) > MAX_BYTES:
        raise RolloutError(f"{file} has more than {MAX_BYTES} bytes, so it is not a config")
    try:
        return yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise RolloutError(f"{file} is not YAML: {' '.join(str(exc).split())[:200]}") from None


def _mapping(file: Path, value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise RolloutError(f"{file}: {what} must have names and values, as in {FILE} of deployment/aws-lambda")
    return value
