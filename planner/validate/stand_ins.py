"""Committed predictions of the load test against the committed runs, which were measured afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from loadtest.platforms.registry import PLATFORMS
from loadtest.profiles import Profile
from loadtest.runs import RECORD, Record
from local.checkout import ROOT
from planner.errors import DataError
from planner.stand_ins.predict import Prediction, Predictions, read_predictions
from planner.stand_ins.singles import read_rows, read_run
from planner.validate.table import Comparison, compared

PREDICTIONS = Path(__file__).parent / "data" / "stand-ins" / "predictions.json"
RUNS = ROOT / "loadtest" / "measured" / "runs"
SERVICE_LIMIT, LAMBDA_LIMIT = 0.10, 0.15


def compare(file: Path = PREDICTIONS, runs: Path = RUNS) -> list[Comparison]:
    """Median and 95th percentile of each run that was predicted.

    Raises DataError if a run is of another machine or commit, or if a prediction has no run.
    """
    predictions = read_predictions(file)
    folders = sorted(record.parent for record in runs.glob(f"*/{RECORD}"))
    rows, found = [], set()
    for folder in folders:
        record = read_run(folder)
        samples = read_rows(folder)
        model = next((row["model"].partition(":")[0] for row in samples if row["model"]), "")
        for number, one in enumerate(predictions.predictions):
            if _is_of(one, record, model):
                _check(predictions, record, folder)
                rows += _rows(one, samples)
                found.add(number)
    for number, one in enumerate(predictions.predictions):
        if number not in found:
            raise DataError(
                f"{runs} has no run of {one.profile.name} on {one.platform} with {one.model}, with the values that "
                f"{file.name} has: run it, or predict again"
            )
    return rows


def _is_of(one: Prediction, record: Record, model: str) -> bool:
    """Whether a run is of the stand-in, the model and the profile of a prediction, whatever the profile's texts say."""
    return (
        record.where == "local"
        and (one.platform, one.settings, one.model) == (record.platform, record.settings, model)
        and _values(one.profile) == _values(record.profile)
    )


def _values(profile: Profile) -> dict[str, Any]:
    return profile.model_dump(exclude={"question", "source"})


def _check(predictions: Predictions, record: Record, folder: Path) -> None:
    for name in ("machine", "commit"):
        run, predicted = getattr(record, name), getattr(predictions, name)
        if run != predicted:
            raise DataError(
                f"{folder.name} has the {name} {run}, the predictions have {predicted}: run single and predict again"
            )


def _rows(one: Prediction, samples: list[dict[str, Any]]) -> list[Comparison]:
    local_lambda = PLATFORMS[one.platform].local_lambda
    limit = LAMBDA_LIMIT if local_lambda else SERVICE_LIMIT
    source = f"{'local Lambda' if local_lambda else 'service'}, {one.model}"
    answered = [row["elapsed"] for row in samples if row["success"]]
    median, p95 = np.percentile(answered, [50, 95]) if answered else (float("nan"), float("nan"))
    errors, cold = len(samples) - len(answered), sum(bool(row["cold"]) for row in samples if row["success"])
    name = one.profile.name
    rows = [
        compared(source, f"{name}: {figure}", float(measured), shown.value if shown else float("nan"), limit=limit,
                 unit="ms")
        for figure, measured, shown in (("median", median, one.median_ms), ("95%", p95, one.p95_ms))
    ]  # fmt: skip
    for figure, counted, predicted in (("cold starts", cold, one.cold_starts), ("errors", errors, one.errors)):
        if counted or predicted.value:
            rows.append(compared(source, f"{name}: {figure}", counted, predicted.value))
    return rows
