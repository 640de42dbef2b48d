"""Where Terraform keeps the state of a deployment: in the deployment's folder, or in a bucket for a team."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_store.files import write_atomically

FILE = "backend.tf"
HEAD = "# Written by bentoctl generate and bentoctl build, from state_bucket.\n"
# A backend cannot use variables.
TEXT = """\
terraform {{
  required_version = ">= 1.10"

  backend "s3" {{
    bucket       = {bucket}
    key          = {key}
    region       = {region}
    encrypt      = true
    use_lockfile = true
  }}
}}
"""


def backend_text(name: str, spec: Mapping[str, Any]) -> str | None:
    """The configuration of the backend for the spec of deployment `name`; None without `state_bucket`."""
    if "state_bucket" not in spec:
        return None
    values = {"bucket": spec["state_bucket"], "key": f"{name}/terraform.tfstate", "region": spec["region"]}
    return HEAD + TEXT.format(**{key: json.dumps(value) for key, value in values.items()})


def write_backend(name: str, spec: Mapping[str, Any], folder: Path) -> list[str]:
    """Write the backend's file, or remove it where it came from an earlier spec; returns the written files."""
    file, text = folder / FILE, backend_text(name, spec)
    if text is not None:
        write_atomically(file, text.encode())
        return [str(file)]
    if file.is_file() and file.read_text().startswith(HEAD):
        file.unlink()
    return []
