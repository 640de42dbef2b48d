"""The HPA's rules against recordings of the real controller, and target tracking against two figures of AWS."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

import numpy as np

from planner.errors import DataError
from planner.scaling.books import Book, load_book
from planner.scaling.manifest import read_hpa
from planner.scaling.recordings import Recording, Score, read, replay, score
from planner.scaling.rules import Behavior, HpaRules
from planner.scaling.simulate import simulate
from planner.validate.table import Comparison, compared

RECORDINGS = Path(__file__).parent / "data" / "hpa-1.34"
DATA = "HPA_1_34"
MANIFEST = Path(__file__).parents[2] / "deployment" / "kubernetes" / "hpa.yaml"
MOST_WRONG_PERCENT = 5.0
LATEST_UP_S, LATEST_DOWN_S = 15.0, 30.0
AWS = "AWS, 2026-06-18, mean over the phase; delay_s is fitted to it"
AWS_SCALES_OUT_S = {"fargate": 363.0, "fargate-20s": 86.0}
# The load comes at every second of a minute in turn, after a quarter of an hour of rest.
REST_S, LOAD_S = 900, 600


def compare(folder: Path | None = None) -> list[Comparison]:
    """Replay every recording in a folder; raises DataError. The two figures of AWS follow.

    Without a `folder`, HPA_1_34 names one, and without that the project's own recordings are replayed.
    """
    folder = folder or Path(os.environ.get(DATA) or RECORDINGS)
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise DataError(f"{folder} has no recordings: name a folder of .csv files")
    rows = []
    for file in files:
        recording = read(file)
        rows += _rows(recording, replayed(recording, recorded=True), "recorded beats", limited=True)
        rows += _rows(recording, replayed(recording, recorded=False), "beats every 15 s", limited=False)
    return rows + [_aws(name, seconds) for name, seconds in AWS_SCALES_OUT_S.items()]


def rules_of(recording: Recording) -> HpaRules:
    """The rules of a recording: the project's HPA with the recording's scale-down window."""
    rules = read_hpa(MANIFEST)
    behavior = rules.behavior or Behavior()
    down = behavior.down.model_copy(update={"stabilization_s": recording.window_s})
    return rules.model_copy(update={"behavior": behavior.model_copy(update={"down": down})})


def replayed(recording: Recording, *, recorded: bool) -> Score:
    """The score of a replay with the recorded times of beats and windows, or with regular ones."""
    replica = load_book("kubernetes").replica
    return score(recording, replay(recording, rules_of(recording), replica, recorded_times=recorded).wanted)


def _rows(recording: Recording, result: Score, beats: str, *, limited: bool) -> list[Comparison]:
    source = f"HPA 1.34.4, {recording.name}, {beats}"
    wrong = 100 * (1 - result.right)
    figures = [
        ("seconds with the replicas wanted", 100.0, 100.0 - wrong, wrong, MOST_WRONG_PERCENT, "%"),
        ("worst step up", 0.0, result.up_s, result.up_s, LATEST_UP_S, "s"),
        ("worst step down", 0.0, result.down_s, result.down_s, LATEST_DOWN_S, "s"),
        ("steps that only the replay has", 0.0, result.extra, result.extra, None, "steps"),
    ]
    return [
        Comparison(source, figure, expected, predicted, error, limit if limited else None, unit, absolute=True)
        for figure, expected, predicted, error, limit, unit in figures
    ]


def _aws(name: str, expected: float) -> Comparison:
    predicted = statistics.mean(scales_out_after(load_book(name), phase) for phase in range(60))
    return compared(AWS, f"load to scale-out, {name}", expected, predicted, unit="s")


def scales_out_after(book: Book, phase_s: int) -> float:
    """The seconds from a load that fills one replica, `phase_s` after a full minute, until more replicas are wanted."""
    begin = REST_S + phase_s
    demand = np.zeros(begin + LOAD_S)
    demand[begin:] = book.replica.cores
    more = simulate(demand, book).wanted > 1
    return float(more.argmax() + 1 - begin) if more.any() else float("inf")
