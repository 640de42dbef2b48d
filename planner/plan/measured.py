"""Service times from measured runs: what one request takes while no other request runs.

Only requests that no other request of the run overlapped are used, so that neither queueing nor shared processors are
in the times: the simulations add those. They come from the profiles that send one request at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import polars as pl

from loadtest.errors import LoadTestError
from loadtest.platforms.settings import Settings
from loadtest.results.samples import read_samples
from loadtest.runs import SAMPLES, Record, read_record, runs_in
from planner.errors import MeasuredError
from planner.plan.types import Measured
from planner.types import Floats
from serving.contract import STEPS

PROFILES = ("single", "idle-gaps", "payloads")
MOST_RUNS = 1000


@dataclass(frozen=True)
class ServiceTimes:
    """Times of one platform and size, arrays `(N,)`, seconds: whole responses as the client sees them, warm and cold.

    `detect_s` belongs to `warm_s`. `warm_billed_s` and `cold_billed_s` are the mean billed times of a function:
    the steps of a warm answer, in whole milliseconds, and the whole response of a cold one. `cold_s` may be empty.
    """

    platform: str
    settings: Settings
    label: str
    warm_s: Floats
    detect_s: Floats
    cold_s: Floats
    warm_billed_s: float
    cold_billed_s: float
    answer_bytes: float

    @property
    def overhead_s(self) -> float:
        """The mean time of a warm response besides the detection, which is the only step that others wait for."""
        return float((self.warm_s - self.detect_s).mean())


def read_measured(
    folders: Sequence[Path], *, model: str | None = None, picture: str = "scenes"
) -> tuple[list[ServiceTimes], Measured]:
    """The service times of all platforms and sizes in these runs, and their origin; raises MeasuredError.

    `folders` are runs or folders of runs. `model` is a name without its version; it may be None if there is only one.
    """
    runs = [run for run in _runs(folders) if run.record.profile.name in PROFILES]
    if not runs:
        raise MeasuredError(f"there is no finished run of profile {', '.join(PROFILES[:-1])} or {PROFILES[-1]}")
    name = _model(runs, model)
    runs = [run for run in runs if run.model == name]
    _check_places(runs)
    groups: dict[tuple[str, str], list[_Run]] = {}
    for run in runs:
        groups.setdefault((run.record.platform, run.record.label), []).append(run)
    times = [_service_times(group, picture) for group in groups.values()]
    records = [run.record for run in runs]
    days = sorted(f"{datetime.fromtimestamp(one.started / 1000, timezone.utc):%Y-%m-%d}" for one in records)
    measured = Measured(
        model=name, where=records[0].where, machines=sorted({one.machine for one in records}),
        commits=sorted({one.commit for one in records}), runs=[run.name for run in runs], first=days[0], last=days[-1],
        processors=sorted({str(cpu) for run in runs for cpu in run.table["cpu"].drop_nulls().unique()}),
    )  # fmt: skip
    return times, measured


@dataclass(frozen=True)
class _Run:
    name: str
    record: Record
    model: str
    table: pl.DataFrame


def _runs(folders: Sequence[Path]) -> list[_Run]:
    found: list[Path] = []
    for path in folders:
        if not path.is_dir():
            raise MeasuredError(f"there is no folder {path}: name a run, or a folder of runs")
        found += runs_in(path) or [path]
    found = list(dict.fromkeys(found))
    if len(found) > MOST_RUNS:
        raise MeasuredError(f"there are {len(found)} runs; the most is {MOST_RUNS}")
    return [run for folder in found if (run := _run(folder))]


def _run(folder: Path) -> _Run | None:
    """One run with its answers; None if it was not finished."""
    try:
        record = read_record(folder)
        if record.status != "finished":
            return None
        table, _ = read_samples(folder / SAMPLES)
    except LoadTestError as exc:
        raise MeasuredError(f"{folder}: {exc}") from None
    table = _alone(table).filter(pl.col("success"))
    models = table["model"].drop_nulls().unique().sort()
    if len(models) > 1:
        raise MeasuredError(f"{folder}: answers come from {len(models)} models: {', '.join(map(str, models))}")
    # A version is that of the weights, and random weights have another one in every run.
    return _Run(folder.name, record, str(models[0]).partition(":")[0], table) if len(models) else None


def _alone(table: pl.DataFrame) -> pl.DataFrame:
    """The requests that no other one of the run overlaps."""
    start, end = pl.col("timeStamp"), pl.col("timeStamp") + pl.col("elapsed")
    before = end.cum_max().shift(1)
    return table.sort("timeStamp").filter(
        (before.is_null() | (before <= start)) & (start.shift(-1).is_null() | (start.shift(-1) >= end))
    )


def _model(runs: Sequence[_Run], wanted: str | None) -> str:
    models = sorted({run.model for run in runs})
    if wanted is None and len(models) > 1:
        raise MeasuredError(f"the runs are of {len(models)} models, {', '.join(models)}: choose one with --model")
    if wanted is not None and wanted not in models:
        raise MeasuredError(f"no run is of model {wanted}: the runs are of {', '.join(models)}")
    return wanted or models[0]


def _check_places(runs: Sequence[_Run]) -> None:
    where = sorted({run.record.where for run in runs})
    if len(where) > 1:
        raise MeasuredError("some runs are local and some on AWS: name runs of one place")
    machines = sorted({run.record.machine for run in runs})
    if where == ["local"] and len(machines) > 1:
        raise MeasuredError(
            f"the runs are of {len(machines)} machines ({'; '.join(machines)}): name runs of one machine"
        )


def _service_times(runs: Sequence[_Run], picture: str) -> ServiceTimes:
    record = runs[0].record
    table = pl.concat([run.table.select(_COLUMNS) for run in runs]).filter(pl.col("label") == picture)
    cold = pl.col("cold").fill_null(False)
    known = table.filter(pl.all_horizontal(pl.col(step).is_not_null() for step in STEPS) & (pl.col("elapsed") > 0))
    # The first answer of a container is marked cold, but its instance was ready before it got a request.
    warm = known.filter(~cold)
    if not warm.height:
        raise MeasuredError(
            f"the runs of {record.label} have no warm answer for picture {picture!r}: run profile single against it"
        )
    frozen = known.filter(cold)
    billed = warm.select(pl.sum_horizontal(STEPS).ceil().mean() / 1000).item()
    cold_s = _seconds(frozen, "elapsed")
    return ServiceTimes(
        platform=record.platform, settings=record.settings, label=record.label,
        warm_s=_seconds(warm, "elapsed"), detect_s=_seconds(warm, "detect"), cold_s=cold_s,
        warm_billed_s=float(billed), cold_billed_s=float(cold_s.mean()) if cold_s.size else float("nan"),
        answer_bytes=float(known["bytes"].fill_null(0).mean() or 0),  # type: ignore[arg-type]
    )  # fmt: skip


_COLUMNS = ["timeStamp", "elapsed", "label", "bytes", "cold", "success", *STEPS]


def _seconds(table: pl.DataFrame, column: str) -> Floats:
    return np.ascontiguousarray(table[column].to_numpy(), np.float64) / 1000
