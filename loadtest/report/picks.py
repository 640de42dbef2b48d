"""The choice of runs for a comparison: one run per platform, all of the same profile."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from loadtest.results.summary import CostComparison, Phase, Summary
from loadtest.results.throughput import Rate, rates


def usable(runs: Sequence[Summary]) -> list[Summary]:
    """The runs that did not fail."""
    return [run for run in runs if run.run.status != "failed"]


def like_for_like(runs: Sequence[Summary]) -> list[Summary]:
    """One run with warm answers per platform, all of the calmest profile that most platforms have."""
    warm = [run for run in usable(runs) if run.warm]

    def rank(profile: str) -> tuple[int, int, str]:
        of_profile = [run for run in warm if run.run.profile == profile]
        return -len({run.run.label for run in of_profile}), max(map(_unrest, of_profile)), profile

    profile = min({run.run.profile for run in warm}, key=rank, default=None)
    # Of several runs the last finished one counts: dict keeps the place of the first and the value of the last.
    ordered = sorted((r for r in warm if r.run.profile == profile), key=lambda r: (_finished(r), r.run.started))
    latest = {run.run.label: run for run in ordered}
    return [latest[label] for label in dict.fromkeys(run.run.label for run in warm) if label in latest]


def coldest(runs: Sequence[Summary]) -> dict[str, Summary | None]:
    """Per platform the run that shows cold starts best, None where no run had one.

    Runs with gaps come first, then the calmest: instances that start simultaneously may slow each other down. Of
    several such runs the one with the most cold answers counts.
    """

    def rank(run: Summary) -> tuple[bool, int, int]:
        gaps = any(phase.kind == "gap" for phase in run.phases)
        return gaps, -_unrest(run), run.cold.count if run.cold else 0

    chosen: dict[str, Summary | None] = {run.run.label: None for run in usable(runs) if run.knows_cold}
    for label in chosen:
        had = [run for run in usable(runs) if run.run.label == label and run.cold]
        chosen[label] = max(had, key=rank, default=None)
    return chosen


def most_users(runs: Sequence[Summary]) -> dict[str, Phase]:
    """Per platform the phase with the largest number of users that all platforms with such phases have in common."""
    tried: dict[str, dict[int, Phase]] = {}
    for run in usable(runs):
        for phase in run.phases:
            if phase.kind == "users" and phase.latency:
                tried.setdefault(run.run.label, {})[phase.users] = phase
    common = set.intersection(*(set(phases) for phases in tried.values())) if tried else set()
    return {label: phases[max(common)] for label, phases in tried.items()} if common else {}


def highest_rate(runs: Sequence[Summary]) -> dict[str, Rate]:
    """Per platform the highest throughput with less than 1% of errors."""
    of_label = {run.run.label: [other for other in runs if other.run.label == run.run.label] for run in runs}
    found = {label: rates(own) for label, own in of_label.items()}
    return {label: max(own, key=lambda rate: rate.per_s) for label, own in found.items() if own}


def cheapest(cost: CostComparison) -> list[tuple[str, int | None]]:
    """The cheapest options from the smallest volume to the largest, each with the volume up to which it is cheapest."""
    labels = list(cost.usd_per_month)
    if not labels or not cost.pictures_per_month:
        return []
    winners = [min(labels, key=lambda label: cost.usd_per_month[label][i]) for i in range(len(cost.pictures_per_month))]
    steps: list[tuple[str, int | None]] = []
    for i, (before, after) in enumerate(itertools.pairwise(winners), 1):
        if before != after:
            steps.append((before, _crossing(cost, before, after, cost.pictures_per_month[i - 1 : i + 1])))
    return [*steps, (winners[-1], None)]


def _crossing(cost: CostComparison, below: str, above: str, between: Sequence[int]) -> int:
    """The exact volume if it is known, otherwise that of the grid: bills of instances may cross more than once."""
    for even in cost.break_evens:
        volume = even.pictures_per_month
        if (even.cheaper_below, even.cheaper_above) == (below, above) and volume and between[0] < volume <= between[1]:
            return volume
    return between[1]


def _unrest(run: Summary) -> int:
    """How much the load of a run differs from equal requests one after the other; 0 is the calmest."""
    kinds = {phase.kind for phase in run.phases}
    busy = max((phase.users for phase in run.phases), default=0) > 1
    rates = len({phase.offered_per_s for phase in run.phases if phase.kind == "rate"})
    # One user or a steady rate; several sizes of picture; single requests; several users; changing loads.
    ranks = (rates <= 1 and not kinds - {"rate", "batch"}, kinds == {"payload"}, kinds == {"gap"}, kinds == {"batch"})
    rank = ranks.index(True) if any(ranks) else len(ranks)
    return max(rank, 3) if busy else rank


def _finished(run: Summary) -> bool:
    return run.run.status == "finished"
