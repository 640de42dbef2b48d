"""What a platform was seen to answer per second, and which of it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.results.summary import Phase, Summary

MOST_ERRORS = 0.01
"""Share of requests; a rate with as many or more is not counted as answered."""
TELLING = ("users", "rate")


@dataclass(frozen=True)
class Rate:
    """Requests answered per second in one run or a phase of it, and under what load."""

    per_s: float
    load: str
    run: Summary


def rates(runs: Sequence[Summary]) -> list[Rate]:
    """Every rate that was answered with hardly an error, of runs that did not fail.

    Users who ask without a pause and rates that do not wait say what a platform can do. A batch is over too soon, a gap
    or a picture of another size says something else: they count only where there is nothing better.
    """
    found: dict[bool, list[Rate]] = {True: [], False: []}
    for run in runs:
        telling = [phase.kind in TELLING for phase in run.phases]
        share = run.failed / max(1, run.requests)
        found[not telling or any(telling)] += _rate(run, run.throughput_per_s, run.run.profile, share)
        for phase in run.phases:
            share = phase.errors / phase.requests if phase.requests else 1.0
            found[phase.kind in TELLING] += _rate(run, phase.throughput_per_s, _load(phase), share)
    return found[True] or found[False]


def _rate(run: Summary, per_s: float, load: str, failed: float) -> list[Rate]:
    counts = per_s > 0 and failed < MOST_ERRORS and run.run.status != "failed"
    return [Rate(per_s, load, run)] if counts else []


def _load(phase: Phase) -> str:
    if phase.users:
        return f"{phase.users} user{'s' * (phase.users != 1)}"
    return phase.name if phase.offered_per_s is None else f"{phase.offered_per_s:.3g} per second offered"
