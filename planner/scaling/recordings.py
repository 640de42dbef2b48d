"""Recordings of the real HPA controller: reading one, replaying its demand, and comparing the replicas wanted."""

from __future__ import annotations

import csv
import itertools
import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from planner.errors import DataError
from planner.scaling.fleet import Fleet
from planner.scaling.kubernetes import HpaScaler
from planner.scaling.rules import MOST_REPLICAS, HpaRules, Replica
from planner.scaling.simulate import MOST_CORES, MOST_SECONDS

MOST_BYTES = 5_000_000
# The windows of the metrics end at about 1, 16, 31 ... s and drift with the recorder's own steps of a second. The drift
# is fitted to the utilization that burst-60 shows, whose bursts begin within a window.
FIRST_WINDOW_END_S, WINDOW_STEP_S = 0.75, 15.04
SYNC_S = 15.0


@dataclass(frozen=True)
class Recording:
    """A recording: per row the time, the demand, the replicas wanted and the utilization that the HPA showed.

    `window_s` is the scale-down window of the HPA, which the name of the file ends with.
    """

    name: str
    window_s: int
    times_s: tuple[float, ...]
    demand_cores: tuple[float, ...]
    wanted: tuple[int, ...]
    percent: tuple[int | None, ...]

    @property
    def beats_s(self) -> list[float]:
        """The controller's beats, evenly spaced: a line through the rows at which its status or the replicas change.

        A row shows a beat up to a second late, so the line lies below all of them.
        """
        states = list(zip(self.percent, self.wanted, strict=True))
        seen = [at_s for at_s, now, before in zip(self.times_s[1:], states[1:], states, strict=False) if now != before]
        if not seen:
            return []
        gaps = [round((end - begin) / SYNC_S) for begin, end in itertools.pairwise(seen)]
        numbers = list(itertools.accumulate(gaps, initial=0))
        period = statistics.linear_regression(numbers, seen).slope if numbers[-1] else SYNC_S
        first = min(at_s - period * number for at_s, number in zip(seen, numbers, strict=True))
        before, after = int((first - self.times_s[0]) / period), int((self.times_s[-1] - first) / period)
        return [first + period * number for number in range(-before, after + 1)]


@dataclass(frozen=True)
class Replay:
    """What the rules make of a recording's demand, per row: replicas wanted and ready, and the utilization shown."""

    wanted: tuple[int, ...]
    ready: tuple[int, ...]
    percent: tuple[int | None, ...]


@dataclass(frozen=True)
class Score:
    """The share of rows with the right number of replicas wanted, and the worst offsets of steps up and down, seconds.

    A step counts once for every replica; an offset is infinite where the replay has no such step. `extra` is the number
    of steps that only the replay has.
    """

    right: float
    up_s: float
    down_s: float
    extra: int


def read(file: Path) -> Recording:
    """Read a recording; raises DataError."""
    named = re.fullmatch(r".+-(\d{1,4})", file.stem)
    if not named:
        raise DataError(f"{file.name}: the name must end with the scale-down window, like steps-60.csv")
    try:
        if file.stat().st_size > MOST_BYTES:
            raise DataError(f"{file.name} has more than {MOST_BYTES // 1_000_000} MB: a recording has one row a second")
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise DataError(f"{file.name} cannot be read: {exc}") from None
    columns = [_parsed(file.name, number, row) for number, row in enumerate(rows, 2)]
    if not columns:
        raise DataError(f"{file.name} has no rows")
    times, demand, wanted, percent = zip(*columns, strict=True)
    if any(later <= earlier for earlier, later in itertools.pairwise(times)):
        raise DataError(f"{file.name}: t_s must rise with every row")
    return Recording(file.stem, int(named[1]), times, demand, wanted, percent)


def _parsed(name: str, line: int, row: dict[str, str]) -> tuple[float, float, int, int | None]:
    try:
        shown = row["hpa_utilization_percent"]
        parsed = (
            float(row["t_s"]),
            float(row["demand_cores"]),
            int(row["wanted_replicas"]),
            int(shown) if shown else None,
        )
    except KeyError as exc:
        raise DataError(f"{name}: the column {exc.args[0]} is missing") from None
    except (ValueError, TypeError):
        raise DataError(f"{name}, line {line}: a value is missing or not a number") from None
    if not (0 <= parsed[0] <= MOST_SECONDS and 0 <= parsed[1] <= MOST_CORES and 0 <= parsed[2] <= MOST_REPLICAS):
        limits = f"up to {MOST_SECONDS} s, {MOST_CORES:.0f} cores and {MOST_REPLICAS} replicas"
        raise DataError(f"{name}, line {line}: a time, demand or number of replicas is out of bounds: give {limits}")
    return parsed


def replay(recording: Recording, rules: HpaRules, replica: Replica, *, recorded_times: bool) -> Replay:
    """Follow the rules through the demand of a recording.

    Beats and windows of the metrics come at the recorded times, or at the regular ones of the rules.
    """
    beats = windows = None
    if recorded_times:
        count = int(recording.times_s[-1] // WINDOW_STEP_S) + 1
        beats, windows = recording.beats_s or None, [FIRST_WINDOW_END_S + at * WINDOW_STEP_S for at in range(count)]
    scaler = HpaScaler(rules, replica, beats, windows)
    fleet = Fleet(replica, recording.wanted[0])
    rows = []
    for now_s, demand in zip(recording.times_s, recording.demand_cores, strict=True):
        ready = fleet.ready(now_s)
        use = min(demand / ready, replica.cores) if ready else 0.0
        wanted = scaler.advance([now_s], [demand], [use], fleet)
        if wanted != len(fleet):
            fleet.scale(wanted, now_s)
        rows.append((wanted, ready, scaler.percent))
    wanted_rows, ready_rows, percent_rows = zip(*rows, strict=True)
    return Replay(wanted_rows, ready_rows, percent_rows)


def score(recording: Recording, wanted: Sequence[int]) -> Score:
    """Compare the replicas wanted in a replay with those recorded, row by row and step by step."""
    right = sum(one == other for one, other in zip(recording.wanted, wanted, strict=True)) / len(wanted)
    recorded, replayed = crossings(recording.times_s, recording.wanted), crossings(recording.times_s, wanted)
    worst = {True: 0.0, False: 0.0}
    for (level, up), steps in recorded.items():
        others = replayed.get((level, up), [])
        for at_s in steps:
            worst[up] = max(worst[up], min((abs(at_s - other) for other in others), default=math.inf))
    extra = sum(max(0, len(steps) - len(recorded.get(key, []))) for key, steps in replayed.items())
    return Score(right, worst[True], worst[False], extra)


def crossings(times_s: Sequence[float], wanted: Sequence[int]) -> dict[tuple[int, bool], list[float]]:
    """The times at which the replicas reach a level on the way up (True), or leave it on the way down (False)."""
    found: dict[tuple[int, bool], list[float]] = {}
    for at_s, before, after in zip(times_s[1:], wanted, wanted[1:], strict=False):
        for level in range(min(before, after) + 1, max(before, after) + 1):
            found.setdefault((level, after > before), []).append(at_s)
    return found
