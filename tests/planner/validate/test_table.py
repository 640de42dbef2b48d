"""The table of comparisons, and the command that prints it."""

from __future__ import annotations

import math

import pytest

from planner import cli
from planner.validate.registry import GROUPS, Group
from planner.validate.table import Comparison, compared, mean_error, to_text

GOOD = compared("theory", "mean wait", 2.0, 2.01, limit=0.01, unit="s")
BAD = compared("theory", "mean wait", 2.0, 1.9, limit=0.01, unit="s")
REPORTED = compared("AWS", "cold starts", 100, 130)


def test_an_error_beyond_its_limit_is_marked() -> None:
    assert [one.exceeded for one in (GOOD, BAD, REPORTED)] == [False, True, False]
    assert to_text([GOOD, BAD, mean_error("AWS", "mean error", [GOOD, BAD], limit=0.03)]).splitlines() == [
        "source  figure      expected  predicted  unit   error  limit",
        "theory  mean wait          2       2.01  s     +0.50%   1.0%",
        "theory  mean wait          2        1.9  s     -5.00%   1.0%  TOO LARGE",
        "AWS     mean error         -          -         2.75%   3.0%",
    ]


@pytest.mark.parametrize(("expected", "predicted", "error"), [(0, 0, 0.0), (0, 1, math.inf), (4, 3, -0.25)])
def test_errors_are_relative_to_the_expected_value(expected: float, predicted: float, error: float) -> None:
    assert compared("", "", expected, predicted).error == error


def test_a_figure_that_is_not_a_number_exceeds_its_limit() -> None:
    assert compared("", "", 1.0, math.nan, limit=0.5).exceeded


@pytest.mark.parametrize(("rows", "status"), [([GOOD, REPORTED], 0), ([GOOD, BAD], 1)])
def test_validate_fails_where_an_error_is_too_large(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rows: list[Comparison], status: int
) -> None:
    monkeypatch.setattr(cli, "GROUPS", (Group("one", lambda: rows),))
    assert cli.main(["validate"]) == status
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"{status} beyond it")


def test_validate_says_which_groups_it_skips(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for group in GROUPS:
        if group.data:
            monkeypatch.delenv(group.data, raising=False)
    named = [group.name for group in GROUPS if group.data]
    assert cli.main(["validate", *named]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        *(f"skipped {g.name}: {g.data} is not set: set it to the folder with the data" for g in GROUPS if g.data),
        "error: nothing was compared",
    ]


@pytest.mark.parametrize("group", [group for group in GROUPS if group.data], ids=lambda group: group.name)
def test_a_folder_that_does_not_exist_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], group: Group
) -> None:
    monkeypatch.setenv(group.data, "/nowhere/at all")
    assert cli.main(["validate", group.name]) == 1
    assert capsys.readouterr().err == f"error: {group.data}: there is no folder /nowhere/at all\n"


def test_an_unknown_group_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["validate", "theory", "practice"]) == 2
    assert capsys.readouterr().err.startswith("error: there is no group practice: take one of theory, ")
