"""The files of a deployment's folder: a copy of the Terraform module, the values of its variables, and the backend."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployment.rollout.errors import RolloutError
from deployment.rollout.faults import FAULTS
from deployment.rollout.state import write_backend
from model_store.files import write_atomically

ROOT = Path(__file__).parents[2]
VALUES = "bentoctl.tfvars"
HEAD = "# Written by bentoctl and by make rollout, which overwrite it.\n"


def module_folder(module: str) -> Path:
    """The folder of a Terraform module in this checkout."""
    return ROOT / "deployment" / "terraform" / module


def variables_of(module: str) -> list[str]:
    """The names of a module's variables."""
    text = "".join(file.read_text() for file in sorted(module_folder(module).glob("variables*.tf")))
    return re.findall(r'^variable "(\w+)"', text, re.M)


def write_files(
    module: str, name: str, spec: Mapping[str, Any], target: Path, *, image_uri: str | None, values_only: bool = False
) -> list[str]:
    """Write the module's missing files, the backend and the values; returns the written files. See both functions."""
    written = write_module(module, name, spec, target, values_only=values_only)
    return [*written, *write_values(module, name, spec, target, image_uri=image_uri)]


def write_module(
    module: str, name: str, spec: Mapping[str, Any], target: Path, *, values_only: bool = False
) -> list[str]:
    """Write the module's missing files and the backend; returns the written files.

    Raises RolloutError for a fault in the spec, and for a changed copy unless `values_only`.
    """
    wrong = FAULTS[module](spec)
    if wrong:
        raise RolloutError(wrong)
    written = []
    for file in sorted(module_folder(module).glob("*.tf")):
        copy = target / file.name
        if copy.is_file() and copy.read_bytes() != file.read_bytes() and not values_only:
            raise RolloutError(f"{copy} has been changed: move it away, or use --values-only")
        if not copy.is_file():
            write_atomically(copy, file.read_bytes())
            written.append(str(copy))
    return written + write_backend(name, spec, target)


def write_values(module: str, name: str, spec: Mapping[str, Any], target: Path, *, image_uri: str | None) -> list[str]:
    """Write the values of the module's variables; without an image that of an earlier build is kept."""
    values = {"deployment_name": name, **spec}
    if image_uri is not None:
        values["image_uri"] = image_uri
    else:
        values |= {k: v for k, v in kept(target).items() if k not in values}
    known = variables_of(module)
    values = {key: value for key, value in values.items() if key in known}
    write_atomically(target / VALUES, (HEAD + to_tfvars(values)).encode())
    return [str(target / VALUES)]


def to_tfvars(values: Mapping[str, Any]) -> str:
    """Values in Terraform's language, which is JSON except for its templates; these are escaped."""
    lines = (f"{k} = {json.dumps(v).replace('${', '$${').replace('%{', '%%{')}" for k, v in values.items())
    return "\n".join(lines) + "\n"


def kept(folder: Path) -> dict[str, Any]:
    """The image and the repository of an earlier build."""
    file = folder / VALUES
    text = file.read_text() if file.is_file() else ""
    return {k: json.loads(v) for k, v in re.findall(r'^(image_uri|repository_arn) = (".*")$', text, re.M)}


def smoke_command(endpoint: str, spec: Mapping[str, Any]) -> str:
    """The command that checks a deployment, for the way in which it lets callers in."""
    command = f"make smoke TARGET={endpoint}"
    if spec.get("authorizer") == "JWT":
        return f'API_KEY="Bearer $TOKEN" API_KEY_HEADER=authorization {command}'
    if spec.get("api_keys_arn"):
        return f"API_KEY=$KEY {command}"
    # The HTTP API asks for signed requests unless the spec says otherwise.
    signed = ".execute-api." in endpoint and spec.get("authorizer", "AWS_IAM") == "AWS_IAM"
    return f"{command} AUTH=iam" if signed else command
