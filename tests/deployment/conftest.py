"""Fixtures of several tests of the deployment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.modules import FOLDER, REQUIRED
from tests.deployment.terraform_program import Evaluation, evaluate


@pytest.fixture
def evaluated(tmp_path: Path) -> Callable[..., Evaluation]:
    """A function that evaluates a module with the given variables and, for the others, the required ones."""

    def run(module: str, **values: Any) -> Evaluation:
        return evaluate(FOLDER / module, tmp_path, REQUIRED[module] | values)

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which provider Terraform had, and what it could not do."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    for report in reports:
        for name, value in getattr(report, "user_properties", []):
            if name == "terraform":
                terminalreporter.write_line(f"terraform: {value}")
