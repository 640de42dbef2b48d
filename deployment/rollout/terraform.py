"""Runs Terraform in a deployment's folder, so that Ctrl-C lets it finish and keep its state."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployment.rollout.errors import RolloutError
from deployment.rollout.files import VALUES

SIGNS = {
    ("create",): "+",
    ("update",): "~",
    ("delete",): "-",
    ("delete", "create"): "-/+",
    ("create", "delete"): "-/+",
}


@dataclass(frozen=True)
class Plan:
    """A plan: each change as sign and address, the planned resources, and the file that apply takes."""

    changes: tuple[tuple[str, str], ...]
    resources: tuple[Mapping[str, Any], ...]
    file: Path


class Terraform:
    """Terraform in one folder; `scratch` is a private folder for plans, which can contain secrets."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        if not shutil.which("terraform"):
            raise RolloutError("terraform is not installed: install Terraform 1.5 or later")
        self.folder = folder
        self._scratch = scratch

    def init(self) -> None:
        """Fetch the provider and the state."""
        status, out, err = self._captured("init", "-input=false", "-no-color")
        if status:
            raise RolloutError(f"terraform init failed: {_first_error(err or out)}")

    def plan(self, name: str, values: Mapping[str, str] | None = None, *, destroy: bool = False) -> Plan:
        """Plan with the folder's values, and with these instead of the folder's; raises RolloutError."""
        file = self._scratch / f"{name}.tfplan"
        options = [f"-var={key}={value}" for key, value in (values or {}).items()] + ["-destroy"] * destroy
        status, out, err = self._captured(
            "plan", "-input=false", "-json", f"-var-file={VALUES}", f"-out={file}", *options
        )
        if status:
            raise RolloutError(f"terraform plan failed: {_diagnostic(out) or _first_error(err or out)}")
        status, out, err = self._captured("show", "-json", str(file))
        if status:
            raise RolloutError(f"terraform show failed: {_first_error(err)}")
        content = json.loads(out)
        changes = (
            (SIGNS.get(tuple(one["change"]["actions"]), ""), str(one["address"]))
            for one in content.get("resource_changes", [])
        )
        resources = content.get("planned_values", {}).get("root_module", {}).get("resources", [])
        return Plan(tuple(one for one in changes if one[0]), tuple(resources), file)

    def apply(self, plan: Plan) -> None:
        """Apply a plan, whose changes the user has seen."""
        with _running([*self._program, "apply", "-input=false", str(plan.file)], self.folder, None) as process:
            status = process.wait()
        if status:
            raise RolloutError("terraform apply failed: correct what it says above, then run this command again")

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state, with their values."""
        status, out, err = self._captured("show", "-json")
        if status:
            raise RolloutError(f"the state cannot be read: {_first_error(err)}")
        found: list[dict[str, Any]] = json.loads(out).get("values", {}).get("root_module", {}).get("resources", [])
        return [one for one in found if one.get("mode") == "managed"]

    def has_state(self) -> bool:
        """Whether there is a state here or in its bucket, be it of no resources."""
        status, out, err = self._captured("state", "pull")
        if status:
            raise RolloutError(f"the state cannot be read: {_first_error(err)}")
        return bool(out.strip())

    def output(self, name: str) -> str | None:
        """An output of the deployment, None if it has none."""
        status, out, _ = self._captured("output", "-raw", name)
        return out.strip() if status == 0 else None

    @property
    def _program(self) -> list[str]:
        return ["terraform"]

    def _captured(self, *arguments: str) -> tuple[int, str, str]:
        with _running([*self._program, *arguments], self.folder, subprocess.PIPE) as process:
            out, err = process.communicate()
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


@contextmanager
def _running(command: list[str], folder: Path, output: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a session of its own, which Ctrl-C reaches as the signal that stops it in order."""
    env = os.environ | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    except KeyboardInterrupt:
        sys.stderr.write("\nstopping: terraform finishes what it has begun and keeps the state; please wait\n")
        process.send_signal(signal.SIGINT)
        while process.poll() is None:
            try:
                process.communicate()
            except KeyboardInterrupt:  # Once more: as in Terraform, it stops at once and may lose state.
                process.send_signal(signal.SIGINT)
        raise


def _diagnostic(out: str) -> str:
    """The first error among messages of -json, in one line."""
    for line in out.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if message.get("type") == "diagnostic" and message.get("@level") == "error":
            said = message["diagnostic"]
            return _line(f"{said['summary']}: {said.get('detail', '')}")
    return ""


def _first_error(text: str) -> str:
    """The first error of Terraform's text, in one line."""
    plain = " ".join(text.replace("│", " ").replace("╷", " ").replace("╵", " ").split())
    return _line(plain.partition("Error: ")[2] or plain)


def _line(text: str) -> str:
    return " ".join(text.split())[:500] or "it said nothing"
