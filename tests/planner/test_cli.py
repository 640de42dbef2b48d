"""The command line of the planner."""

from __future__ import annotations

import pytest

from planner.cli import main


@pytest.mark.parametrize("command", ["plan", "validate", "traffic", "predict"])
def test_a_command_prints_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"usage: python -m planner {command}" in capsys.readouterr().out
