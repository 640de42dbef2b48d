"""Predictions of every profile from runs of `single`, and the file that keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from loadtest.errors import first_problem
from loadtest.platforms.registry import OnPlatform
from loadtest.profiles import Profile, load_profile
from planner.errors import DataError
from planner.stand_ins.doors import ANSWERED
from planner.stand_ins.simulate import simulate
from planner.stand_ins.singles import Single
from planner.stand_ins.traffic import Sample

PROFILES = ("steady", "burst", "steps", "batches", "idle-gaps", "payloads")
SEEDS = 20
MOST_SEEDS = 1000
LARGEST = 10_000_000  # bytes of a file of predictions


class Frozen(BaseModel):
    """A value that is read from a file and does not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(Frozen):
    """The median of a figure over the simulated runs, and the range of 95% of them."""

    value: float
    low: float
    high: float


class Prediction(OnPlatform):
    """The figures of one profile on one stand-in with one model. Times are of answered requests, milliseconds.

    `median_ms` and `p95_ms` are None if no request is answered in half of the simulated runs or more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    profile: Profile
    requests: Range
    errors: Range
    cold_starts: Range
    median_ms: Range | None
    p95_ms: Range | None


class Predictions(Frozen):
    """All predictions from runs of one commit on one machine."""

    commit: str
    machine: str
    predicted: str
    seeds: int
    singles: int
    predictions: tuple[Prediction, ...]

    def write(self, file: Path) -> None:
        """Write them to a file; settings that were not given are omitted. Raises DataError."""
        try:
            file.write_text(self.model_dump_json(indent=1) + "\n")
        except OSError as exc:
            raise DataError(f"{file} cannot be written: {exc.strerror}") from None


def predict(
    singles: Sequence[Single], *, short: bool, seeds: int = SEEDS, progress: Callable[[str], None] = lambda _: None
) -> Predictions:
    """Predict all profiles for each of `singles`; raises DataError if they have several commits or machines."""
    if not 1 <= seeds <= MOST_SEEDS:
        raise DataError(f"the number of seeds is {seeds}, and must be from 1 to {MOST_SEEDS:,}")
    for name in ("commit", "machine"):
        if len(found := sorted({getattr(single.record, name) for single in singles})) > 1:
            raise DataError(f"the runs of single have {len(found)} {name}s, {' and '.join(found)}: name runs of one")
    predictions = []
    for single in singles:
        for name in PROFILES:
            profile = load_profile(name, short=short)
            predictions.append(predict_one(single, profile, seeds))
            progress(_line(predictions[-1]))
    first, now = singles[0].record, datetime.now(timezone.utc)
    return Predictions(
        commit=first.commit, machine=first.machine, predicted=f"{now:%Y-%m-%d %H:%M:%S UTC}", seeds=seeds,
        singles=sum(len(single.firsts) for single in singles), predictions=tuple(predictions),
    )  # fmt: skip


def predict_one(single: Single, profile: Profile, seeds: int) -> Prediction:
    """One profile on one stand-in with one model."""
    runs = [simulate(single, profile, seed) for seed in range(seeds)]
    answered = [[sample.elapsed_s * 1000 for sample in run if sample.status == ANSWERED] for run in runs]
    some = [times for times in answered if times]
    latency = len(some) * 2 > seeds
    record = single.record
    return Prediction(
        platform=record.platform, settings=record.settings, model=single.model, profile=profile,
        requests=_range([len(run) for run in runs]),
        errors=_range([len(run) - len(times) for run, times in zip(runs, answered, strict=True)]),
        cold_starts=_range([sum(map(_is_cold, run)) for run in runs]),
        median_ms=_range([float(np.median(times)) for times in some]) if latency else None,
        p95_ms=_range([float(np.percentile(times, 95)) for times in some]) if latency else None,
    )  # fmt: skip


def _is_cold(sample: Sample) -> bool:
    """Whether a client sees a cold start; an error does not show it."""
    return sample.cold and sample.status == ANSWERED


def _range(figures: Sequence[float]) -> Range:
    low, value, high = np.percentile(figures, [2.5, 50, 97.5]).round(2).tolist()
    return Range(value=value, low=low, high=high)


def _line(one: Prediction) -> str:
    times = [f"{shown.value:,.0f} [{shown.low:,.0f}, {shown.high:,.0f}]" if shown else "-"
             for shown in (one.median_ms, one.p95_ms)]  # fmt: skip
    return (
        f"{one.platform} {one.model} {one.profile.name}: {one.requests.value:g} requests, median {times[0]} ms, 95% "
        f"{times[1]} ms, {one.cold_starts.value:g} cold, {one.errors.value:g} errors"
    )


def read_predictions(file: Path) -> Predictions:
    """Predictions from a file; raises DataError."""
    try:
        if file.stat().st_size > LARGEST:
            raise DataError(f"{file} is larger than {LARGEST:,} bytes: write it again with python -m planner predict")
        return Predictions.model_validate_json(file.read_bytes())
    except OSError as exc:
        raise DataError(f"{file} cannot be read: {exc.strerror}") from None
    except ValidationError as exc:
        raise DataError(f"{file} is broken: {first_problem(exc)}: predict again") from None
