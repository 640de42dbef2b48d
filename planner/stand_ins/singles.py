"""What runs of the profile `single` show: the time of each step of a request on an idle stand-in."""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.errors import LoadTestError
from loadtest.results.samples import read_samples
from loadtest.runs import SAMPLES, Record, read_record, runs_in
from planner.errors import DataError
from serving.contract import STEPS

LEAST_WARM = 10  # requests; fewer say nothing about a 95th percentile
MOST_FOLDERS = 10_000


@dataclass(frozen=True)
class Request:
    """The seconds of each step of one request, and of `other`: HTTP, and the start of a sandbox if it was cold."""

    fetch: float
    decode: float
    detect: float
    annotate: float
    store: float
    other: float


@dataclass(frozen=True)
class Single:
    """The runs of `single` on one stand-in with one model, and the record of the first of them.

    `firsts` are the first requests of the runs: cold starts of a function, or the first requests of a service. `others`
    are all the others. `between_s` is the client's pause between two requests, seconds.
    """

    record: Record
    model: str
    firsts: tuple[Request, ...]
    others: tuple[Request, ...]
    between_s: float

    @property
    def cores(self) -> int:
        """The number of cores of the machine."""
        found = re.match(r"(\d{1,4}) cores?\b", self.record.machine)
        if not found or not int(found[1]):
            raise DataError(f"the run's machine is {self.record.machine!r}, which does not begin with its cores")
        return int(found[1])


def read_singles(given: Sequence[Path]) -> list[Single]:
    """The runs of `single` in these folders, or in the folders in them; several of one stand-in are put together.

    Raises DataError.
    """
    folders: list[Path] = []
    for path in given:
        inside = runs_in(path)
        if not inside:
            raise DataError(f"{path} is not the folder of a run, nor a folder of such folders")
        folders += inside
    if len(folders) > MOST_FOLDERS:
        raise DataError(f"{len(folders)} runs are too many: name at most {MOST_FOLDERS:,}")
    groups: dict[tuple[str, str, str, str, str], list[Single]] = {}
    for folder in folders:
        record = read_run(folder)
        if record.profile.name == "single":
            single = read_single(folder, record)
            key = (record.platform, single.model, record.label, record.commit, record.machine)
            groups.setdefault(key, []).append(single)
    if not groups:
        raise DataError("none of these runs has the profile single: run it first, or name its folder")
    return [_joined(group) for group in groups.values()]


def read_run(folder: Path) -> Record:
    """The record of a run; raises DataError, which names the run."""
    try:
        return read_record(folder)
    except LoadTestError as exc:
        raise DataError(f"{folder.name}: {exc}") from None


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The samples of a run in the order of their start; raises DataError, which names the run."""
    try:
        return read_samples(folder / SAMPLES)[0].to_dicts()
    except LoadTestError as exc:
        raise DataError(f"{folder.name}: {exc}") from None


def read_single(folder: Path, record: Record) -> Single:
    """One run; raises DataError if it has too few answers, or too few fields."""
    if record.where != "local" or record.profile.threads != 1 or record.profile.open:
        raise DataError(f"{folder.name}: only a run of a local stand-in with one user can be used")
    rows = [row for row in read_rows(folder) if row["success"] and None not in (row["model"], *map(row.get, STEPS))]
    if len(rows) <= LEAST_WARM or not rows[0]["cold"] or any(row["cold"] for row in rows[1:]):
        raise DataError(
            f"{folder.name} has {len(rows)} answers with all steps: more than {LEAST_WARM} are needed, and the first "
            "one alone must be cold"
        )
    first, *others = map(_request, rows)
    pauses = [row["timeStamp"] - last["timeStamp"] - last["elapsed"] for last, row in itertools.pairwise(rows)]
    between_s = max(0.0, statistics.median(pauses) / 1000 - record.profile.pause_s)
    return Single(record, rows[0]["model"].partition(":")[0], (first,), tuple(others), between_s)


def _request(row: dict[str, Any]) -> Request:
    steps = {step: row[step] / 1000 for step in STEPS}
    return Request(**steps, other=max(0.0, row["elapsed"] / 1000 - sum(steps.values())))


def _joined(group: list[Single]) -> Single:
    firsts = tuple(first for single in group for first in single.firsts)
    others = tuple(other for single in group for other in single.others)
    between_s = statistics.median(single.between_s for single in group)
    return Single(group[0].record, group[0].model, firsts, others, between_s)
