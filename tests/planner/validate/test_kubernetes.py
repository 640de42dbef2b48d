"""The rules against the real controller: the errors that the planner states."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.errors import DataError
from planner.scaling.books import load_book
from planner.scaling.recordings import read
from planner.validate.kubernetes import RECORDINGS, compare, replayed, rules_of, scales_out_after
from planner.validate.table import Comparison

FILES = sorted(RECORDINGS.glob("*.csv"))


def test_there_are_four_recordings() -> None:
    assert [file.stem for file in FILES] == ["burst-60", "ramp-60", "steps-300", "steps-60"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_replay_wants_the_right_replicas_and_its_steps_are_in_time(file: Path) -> None:
    result = replayed(read(file), recorded=True)
    assert result.right >= 0.999
    assert result.up_s <= 1.1 and result.down_s <= 1.1 and result.extra == 0


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_replay_with_regular_beats_is_within_the_limits_too(file: Path) -> None:
    result = replayed(read(file), recorded=False)
    assert result.right >= 0.95
    assert result.up_s <= 15 and result.down_s <= 30 and result.extra == 0


def test_another_rule_is_noticed() -> None:
    real = read(RECORDINGS / "steps-60.csv")
    wrong = read(RECORDINGS / "steps-300.csv")
    assert rules_of(real) != rules_of(wrong)
    slower = type(real)(**{**vars(real), "window_s": 300})
    assert replayed(slower, recorded=True).down_s > 200


@pytest.mark.slow
def test_every_recording_has_its_rows_and_none_is_beyond_its_limit() -> None:
    rows = compare()
    assert len(rows) == len(FILES) * 8 + 2
    assert [row for row in rows if row.limit is not None and row.error > row.limit] == []
    source, figure = "HPA 1.34.4, burst-60, recorded beats", "seconds with the replicas wanted"
    wrong = pytest.approx(100 * 1 / 1495)
    assert rows[0] == Comparison(source, figure, 100.0, 100.0 - rows[0].error, rows[0].error, 5.0, "%", absolute=True)
    assert rows[0].error == wrong


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no recordings"):
        compare(tmp_path)


@pytest.mark.parametrize(("name", "published_s"), [("fargate", 363), ("fargate-20s", 86)])
def test_the_fitted_delay_gives_the_time_to_scale_out_that_aws_publishes(name: str, published_s: float) -> None:
    book = load_book(name)
    times = [scales_out_after(book, phase) for phase in range(60)]
    assert sum(times) / 60 == pytest.approx(published_s, abs=1)
