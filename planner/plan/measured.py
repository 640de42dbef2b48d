"""Service times from measured runs: what one request takes while no other request runs.

Only requests that no other request of the run overlapped are used, so that neither queueing nor shared processors are
in the times: the simulations add those. They come from the profiles that send one request at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from planner.plan.samples import Kind, mean, parse_mix
from planner.plan.types import Measured
from planner.types import Floats
from serving.contract import STEPS

PROFILES = ("single", "idle-gaps", "payloads")
MOST_RUNS = 1000


@dataclass(frozen=True)
class ServiceTimes:
    """Times of one platform and size by kind of picture."""

    platform: str
    settings: Settings
    label: str
    kinds: tuple[Kind, ...]

    @property
    def warm_s(self) -> Floats:
        """All warm responses, `(N,)`, seconds."""
        return np.concatenate([kind.warm_s for kind in self.kinds])

    @property
    def cold_s(self) -> Floats:
        """All cold responses, `(M,)`, seconds; empty if a kind has none."""
        parts = [kind.cold_s for kind in self.kinds]
        return np.concatenate(parts) if all(part.size for part in parts) else np.empty(0)

    @property
    def detect_s(self) -> float:
        """The mean time of a detection."""
        return mean(self.kinds, lambda kind: kind.detect_s)

    @property
    def overhead_s(self) -> float:
        """The mean time of a warm response besides the detection, which is the only step that others wait for."""
        return mean(self.kinds, lambda kind: kind.warm_s - kind.detect_s)

    @property
    def warm_billed_s(self) -> float:
        """The mean billed time of a warm request to a function."""
        return mean(self.kinds, lambda kind: kind.warm_billed_s)

    @property
    def answer_bytes(self) -> float:
        """The mean size of a response."""
        return sum(kind.share * kind.answer_bytes for kind in self.kinds)


def read_measured(
    folders: Sequence[Path], *, model: str | None = None, picture: str = "scenes"
) -> tuple[list[ServiceTimes], Measured]:
    """The service times of all platforms and sizes in these runs, and their origin; raises MeasuredError.

    `folders` are runs or folders of runs. `model` is a name without its version; it may be None if there is only one.
    `picture` is a kind of picture, or several with their shares. Sizes whose runs lack one of them are left out.
    """
    shares = parse_mix(picture)
    runs = [run for run in _runs(folders) if run.record.profile.name in PROFILES]
    if not runs:
        raise MeasuredError(f"there is no finished run of profile {', '.join(PROFILES[:-1])} or {PROFILES[-1]}")
    name = _model(runs, model)
    runs = [run for run in runs if run.model == name]
    _check_places(runs)
    groups: dict[tuple[str, str], list[_Run]] = {}
    for run in runs:
        groups.setdefault((run.record.platform, run.record.label), []).append(run)
    times, left_out = _all_times(groups.values(), shares)
    records = [run.record for run in runs]
    days = sorted(f"{datetime.fromtimestamp(one.started / 1000, timezone.utc):%Y-%m-%d}" for one in records)
    measured = Measured(
        model=name, where=records[0].where, machines=sorted({one.machine for one in records}),
        commits=sorted({one.commit for one in records}), runs=[run.name for run in runs], first=days[0], last=days[-1],
        processors=sorted({str(cpu) for run in runs for cpu in run.table["cpu"].drop_nulls().unique()}),
        left_out=left_out,
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


def _all_times(groups: Iterable[Sequence[_Run]], shares: Mapping[str, float]) -> tuple[list[ServiceTimes], list[str]]:
    """The times of all platforms and sizes that have all kinds, and which ones have not; each platform has one."""
    times: list[ServiceTimes] = []
    lacking: dict[str, list[str]] = {}
    for group in groups:
        record, table = group[0].record, pl.concat([run.table.select(_COLUMNS) for run in group])
        known = table.filter(pl.all_horizontal(pl.col(step).is_not_null() for step in STEPS) & (pl.col("elapsed") > 0))
        warm, _ = _warm_and_cold(known)
        missing = [picture for picture in shares if picture not in set(warm["label"])]
        if missing:
            there = ", ".join(warm["label"].unique().sort()) or "none"
            lacking.setdefault(record.platform, []).append(
                f"the runs of {record.label} have no warm answer for picture {missing[0][:40]!r}, only for {there}"
            )
            continue
        kinds = tuple(_kind(known, picture, share) for picture, share in shares.items())
        times.append(ServiceTimes(record.platform, record.settings, record.label, kinds))
    for platform, notes in lacking.items():
        if platform not in {one.platform for one in times}:
            raise MeasuredError(f"{notes[0]}: run profile single, or payloads for other pictures, against it")
    return times, [f"{note}, and are left out" for notes in lacking.values() for note in notes]


def _warm_and_cold(known: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    # The first answer of a container is marked cold, but its instance was ready before it got a request.
    cold = pl.col("cold").fill_null(False)
    return known.filter(~cold), known.filter(cold)


def _kind(known: pl.DataFrame, picture: str, share: float) -> Kind:
    """The requests with one kind of picture, of those of one platform and size."""
    warm, cold = _warm_and_cold(known)
    own = warm.filter(pl.col("label") == picture)
    warm_s, cold_s = _seconds(own, "elapsed"), _seconds(cold.filter(pl.col("label") == picture), "elapsed")
    if not cold_s.size:
        cold_s = _other_cold_starts(warm, cold, float(warm_s.mean()))
    return Kind(
        picture=picture, share=share, warm_s=warm_s, detect_s=_seconds(own, "detect"),
        warm_billed_s=own.select(pl.sum_horizontal(STEPS).ceil() / 1000).to_series().to_numpy(),
        cold_s=cold_s, cold_billed_s=cold_s,
        answer_bytes=float(known.filter(pl.col("label") == picture)["bytes"].fill_null(0).mean()),  # type: ignore[arg-type]
    )  # fmt: skip


def _other_cold_starts(warm: pl.DataFrame, cold: pl.DataFrame, warm_s: float) -> Floats:
    """Cold starts with other pictures, plus what a warm request with this picture takes longer, on average."""
    means = warm.group_by("label").agg((pl.col("elapsed").mean() / 1000).alias("mean_s"))
    others = cold.join(means, on="label").select(pl.col("elapsed") / 1000 + warm_s - pl.col("mean_s"))
    return np.ascontiguousarray(others.to_series().to_numpy(), np.float64)


_COLUMNS = ["timeStamp", "elapsed", "label", "bytes", "cold", "success", *STEPS]


def _seconds(table: pl.DataFrame, column: str) -> Floats:
    return np.ascontiguousarray(table[column].to_numpy(), np.float64) / 1000
