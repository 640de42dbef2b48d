"""The throughput of a platform in its runs, and which of the figures count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.results.summary import Phase, Summary

MOST_ERRORS = 0.01
"""Share of requests; a phase with as many errors or more does not count."""
BUSY = ("users", "rate")


@dataclass(frozen=True)
class Rate:
    """Requests answered per second in one run or one phase, and the load."""

    per_s: float
    load: str
    run: Summary


def rates(runs: Sequence[Summary]) -> list[Rate]:
    """The throughputs with less than 1% of errors, of runs that did not fail.

    Phases with users or with a rate count, as they keep the platform busy. Batches are too short, and gaps and sizes of
    picture measure something else: they count only if there is nothing better.
    """
    found: dict[bool, list[Rate]] = {True: [], False: []}
    for run in runs:
        busy = [phase.kind in BUSY for phase in run.phases]
        share = run.failed / max(1, run.requests)
        found[not busy or any(busy)] += _rate(run, run.throughput_per_s, run.run.profile, share)
        for phase in run.phases:
            share = phase.errors / phase.requests if phase.requests else 1.0
            found[phase.kind in BUSY] += _rate(run, phase.throughput_per_s, _load(phase), share)
    return found[True] or found[False]


def _rate(run: Summary, per_s: float, load: str, failed: float) -> list[Rate]:
    counts = per_s > 0 and failed < MOST_ERRORS and run.run.status != "failed"
    return [Rate(per_s, load, run)] if counts else []


def _load(phase: Phase) -> str:
    if phase.users:
        return f"{phase.users} user{'s' * (phase.users != 1)}"
    return phase.name if phase.offered_per_s is None else f"{phase.offered_per_s:.3g} per second offered"
