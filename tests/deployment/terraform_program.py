"""Runs the installed program terraform on templates, without a provider."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deployment.terraform_files import arguments, read_folder

PROGRAM = shutil.which("terraform")

_LOCALS = re.compile(r"^locals \{\n.*?^\}\n", re.M | re.S)
_CONDITION = re.compile(r"^    precondition \{\n.*?^    \}\n", re.M | re.S)
_OBJECT = re.compile(r"\b((?:data\.)?aws_\w+\.\w+)(\[\*\]|\[\d+\])?\.(\w+)")


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation: the values of the locals, or the messages of the errors."""

    values: dict[str, Any]
    complaints: list[str]


def terraform(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run terraform without questions and without a check for new versions."""
    assert PROGRAM is not None
    environment = os.environ | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    return subprocess.run([PROGRAM, *args], cwd=cwd, capture_output=True, text=True, env=environment, timeout=120)


def evaluate(folder: Path, scratch: Path, values: dict[str, Any]) -> Evaluation:
    """Let terraform evaluate the variables, locals and preconditions of a folder.

    Each value that AWS would give is replaced by its own name, so no provider is needed.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("variables*.tf"):
        shutil.copy(file, scratch)
    text = "".join(file.read_text() for file in sorted(folder.glob("*.tf")))
    names = sorted(n for b in read_folder(folder) if b.kind == "locals" for n, _ in arguments(b.body))
    outputs = [f'output "{name}" {{\n  value = local.{name}\n}}\n' for name in names]
    outputs += [
        f'output "precondition_{i}" {{\n  value = true\n{condition}}}\n'
        for i, condition in enumerate(_CONDITION.findall(text))
    ]
    (scratch / "main.tf").write_text(_OBJECT.sub(_stand_in, "".join([*_LOCALS.findall(text), *outputs])))
    (scratch / "values.tfvars.json").write_text(json.dumps(values))
    done = terraform("apply", "-auto-approve", "-json", "-var-file=values.tfvars.json", cwd=scratch)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = {
        k: v["value"] for line in lines if line["type"] == "outputs" for k, v in line["outputs"].items() if "value" in v
    }
    errors = [line["diagnostic"] for line in lines if line["type"] == "diagnostic" and line["@level"] == "error"]
    assert errors or done.returncode == 0, done.stdout + done.stderr
    return Evaluation({} if errors else found, [error.get("detail") or error["summary"] for error in errors])


def _stand_in(match: re.Match[str]) -> str:
    address, index, attribute = match.groups()
    name = f"{address}.{attribute}"
    value = f'["{name}.a", "{name}.b"]' if attribute == "ids" else f'"{name}"'
    return f"[{value}]" if index == "[*]" else value
