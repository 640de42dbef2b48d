"""Committed predictions against committed runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner import cli
from planner.errors import DataError
from planner.stand_ins.predict import Predictions, predict_one, read_predictions
from planner.validate import stand_ins
from planner.validate.registry import Group
from tests.loadtest.results.jtl import failed, record, sample, write_run
from tests.planner.stand_ins.runs import single


def write(folder: Path, times: list[int], **more: Any) -> tuple[Path, Path]:
    """A file with a prediction of `batches` on the service, and a folder with a run of it with these response times."""
    run = record("batches", platform="ecs", settings={}, **more)
    one = predict_one(single("ecs"), run.profile, 2)
    file = folder / "predictions.json"
    Predictions(commit="abc", machine="2 cores", predicted="2026-11-25", seeds=2, singles=1, predictions=(one,)).write(
        file
    )
    samples = [sample(number, elapsed, cold=str(not number).lower()) for number, elapsed in enumerate(times)]
    write_run(folder / "runs" / "a", [*samples, failed(99, 30_000)], run)
    return file, folder / "runs"


def test_median_and_95th_percentile_are_compared_with_the_answered_requests(tmp_path: Path) -> None:
    rows = stand_ins.compare(*write(tmp_path, [1000, 2000, 3000]))
    assert [(one.figure, one.expected, one.limit) for one in rows] == [
        ("batches: median", 2000, 0.1),
        ("batches: 95%", pytest.approx(2900), 0.1),
        ("batches: cold starts", 1, None),
        ("batches: errors", 1, None),
    ]
    assert {one.source for one in rows} == {"service, m"}
    (one,) = read_predictions(tmp_path / "predictions.json").predictions
    assert [row.predicted for row in rows] == [
        found.value for found in (one.median_ms, one.p95_ms, one.cold_starts, one.errors) if found
    ]


@pytest.mark.parametrize(("name", "value"), [("commit", "def"), ("machine", "4 cores")])
def test_a_run_of_another_commit_or_machine_is_refused(tmp_path: Path, name: str, value: str) -> None:
    file, runs = write(tmp_path, [1000], **{name: value})
    with pytest.raises(DataError, match=f"^a has the {name} {value}, the predictions have .*: run single and predict"):
        stand_ins.compare(file, runs)


def test_a_prediction_without_a_run_is_refused(tmp_path: Path) -> None:
    file, _ = write(tmp_path, [1000])
    other = record("batches", ("loops=5",), platform="ecs", settings={})
    write_run(tmp_path / "others" / "b", [sample(0, 100)], other)
    with pytest.raises(DataError, match=r"has no run of batches on ecs with m, with the values that predictions\.json"):
        stand_ins.compare(file, tmp_path / "others")


def test_the_group_is_skipped_without_predictions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    group = Group("stand-ins", stand_ins.compare, file=tmp_path / "predictions.json")
    monkeypatch.setattr(cli, "GROUPS", (group,))
    assert cli.main(["validate"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "skipped stand-ins: there is no predictions.json: write it with python -m planner predict",
        "error: nothing was compared",
    ]
