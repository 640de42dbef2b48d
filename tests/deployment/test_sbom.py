"""`make sbom` and `make audit`: the packages in the image as a list, and against known vulnerabilities."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.checkout import ROOT
from tests.deployment.test_context import locked


def make(target: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the Makefile in a folder, without its preparations."""
    for name in ("requirements", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    command = ["make", "-f", str(ROOT / "Makefile"), "-o", ".venv/.dev", target]
    command += [f"{name}={value}" for name, value in ({"PYTHON": sys.executable} | variables).items()]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ)


@pytest.mark.slow
def test_the_sbom_lists_every_locked_package_with_its_hashes(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx_py")
    done = make("sbom", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads((tmp_path / ".local" / "sbom.json").read_text())
    assert found["bomFormat"] == "CycloneDX"
    assert found["metadata"]["component"]["name"] == "yolov7-serving"
    assert {part["name"]: part["version"] for part in found["components"]} == locked()
    hashes = {h["content"] for part in found["components"] for ref in part["externalReferences"] for h in ref["hashes"]}
    assert hashes == set(re.findall(r"--hash=sha256:([0-9a-f]{64})", (ROOT / "requirements/image.lock").read_text()))


def test_an_audit_without_its_database_fails_in_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "curl").write_text("#!/bin/sh\nexit 6\n")  # No such host.
    (tmp_path / "bin" / "curl").chmod(0o755)
    done = make("audit", tmp_path, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert done.returncode != 0
    assert done.stderr.splitlines()[0].startswith("error: api.osv.dev cannot be reached, so nothing was checked")
    assert "Traceback" not in done.stderr
