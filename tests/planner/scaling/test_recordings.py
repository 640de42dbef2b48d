"""Recordings of the real controller: reading them, and scoring a replay."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path

import pytest

from planner.errors import DataError
from planner.scaling.recordings import MOST_BYTES, Recording, Score, crossings, read, score
from planner.validate.kubernetes import RECORDINGS

HEAD = "t_s,demand_cores,wanted_replicas,pods,ready_pods,hpa_utilization_percent,hpa_desired\n"


def test_a_recording_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tiny-60.csv"
    file.write_text(HEAD + "1.0,0.5,1,1,1,,0\n2.0,0.75,2,2,1,36,2\n")
    assert read(file) == Recording("tiny-60", 60, (1.0, 2.0), (0.5, 0.75), (1, 2), (None, 36))


WRONG = {
    "a-60.csv has no rows": ("a-60.csv", ""),
    "tiny.csv: the name must end with the scale-down window": ("tiny.csv", "1.0,0.5,1,1,1,,0\n"),
    "a-60.csv, line 3: a value is missing or not a number": ("a-60.csv", "1.0,0.5,1,1,1,,0\n2.0,lots,1,1,1,,0\n"),
    "a-60.csv, line 2: a value is missing": ("a-60.csv", "1.0,0.5\n"),
    "a-60.csv, line 2: a time, demand or number of replicas is out of bounds": ("a-60.csv", "1.0,nan,1,1,1,,0\n"),
    "line 2: a time, demand or number of replicas is out of bounds: give": ("a-60.csv", "1.0,1,9999999,1,1,,0\n"),
    "a-60.csv: t_s must rise with every row": ("a-60.csv", "1.0,0.5,1,1,1,,0\n1.0,0.5,1,1,1,,0\n"),
}


@pytest.mark.parametrize(("message", "given"), WRONG.items(), ids=list(WRONG))
def test_a_wrong_recording_is_refused_in_one_line(message: str, given: tuple[str, str], tmp_path: Path) -> None:
    file = tmp_path / given[0]
    file.write_text(HEAD + given[1])
    with pytest.raises(DataError, match=re.escape(message)):
        read(file)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a-60.csv"
    file.write_text("t_s,demand_cores,hpa_utilization_percent\n1.0,0.5,\n")
    with pytest.raises(DataError, match="the column wanted_replicas is missing"):
        read(file)


def test_a_file_that_is_too_large_or_missing_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a-60.csv"
    with file.open("wb") as opened:
        opened.truncate(MOST_BYTES + 1)
    with pytest.raises(DataError, match="has more than 5 MB"):
        read(file)
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "b-60.csv")


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("*.csv")), ids=lambda file: file.stem)
def test_the_beats_lie_within_two_seconds_before_every_row_that_shows_one(file: Path) -> None:
    recording = read(file)
    beats = recording.beats_s
    gaps = {round(later - earlier, 6) for earlier, later in pairwise(beats)}
    assert len(gaps) == 1
    assert 15.0 < gaps.pop() < 15.05
    states = list(zip(recording.percent, recording.wanted, strict=True))
    seen = [at_s for at_s, now, before in zip(recording.times_s[1:], states[1:], states, strict=False) if now != before]
    assert all(any(-0.01 <= at_s - beat <= 2 for beat in beats) for at_s in seen)


def test_a_step_of_several_replicas_crosses_every_level() -> None:
    assert crossings([0, 1, 2, 3], [1, 3, 3, 2]) == {(2, True): [1], (3, True): [1], (3, False): [3]}


def recording(wanted: tuple[int, ...]) -> Recording:
    rows = len(wanted)
    return Recording("made-60", 60, tuple(map(float, range(rows))), (1.0,) * rows, wanted, (None,) * rows)


def test_a_replay_is_scored_by_its_rows_and_its_worst_steps() -> None:
    real = recording((1, 1, 2, 2, 2, 2, 1, 1))
    assert score(real, (1, 1, 1, 2, 2, 1, 1, 1)) == Score(right=0.75, up_s=1.0, down_s=1.0, extra=0)


def test_a_step_that_the_replay_lacks_is_infinitely_late_and_one_that_only_it_has_is_extra() -> None:
    real = recording((1, 1, 2, 2, 2, 2))
    assert score(real, (1, 1, 1, 1, 1, 1)) == Score(right=2 / 6, up_s=math.inf, down_s=0.0, extra=0)
    assert score(real, (1, 1, 2, 1, 2, 2)) == Score(right=5 / 6, up_s=0.0, down_s=0.0, extra=2)
