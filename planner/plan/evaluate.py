"""From simulations with several seeds to the outcome of one configuration."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from loadtest.results.summary import Estimate
from planner.plan.bill import bill
from planner.plan.candidates import Candidate, ContainerCandidate, HybridCandidate
from planner.plan.objective import Objective
from planner.plan.simulate import Simulated, simulate
from planner.plan.types import BillLine, Figures, Outcome
from planner.plan.world import Demand, World

# Simulations run side by side: compiled loops do not hold Python's lock.
WORKERS = os.cpu_count() or 1


def evaluate(candidate: Candidate, demand: Demand, world: World, objective: Objective, seeds: int) -> Outcome:
    """Simulate a configuration with seeds 1 to `seeds`; raises RulesError, MeasuredError and TrafficError."""
    runs = [simulate(candidate, demand, world, seed) for seed in range(1, seeds + 1)]
    return outcome(candidate, runs, world, objective)


def outcome(candidate: Candidate, runs: Sequence[Simulated], world: World, objective: Objective) -> Outcome:
    """The outcome of one configuration; each figure is the mean over the runs, with their range."""
    bills = [bill(candidate, run, world) for run in runs]
    figures = Figures(
        **{
            name: _estimate([run.collector.percentile(share) for run in runs])
            for name, share in (("p50_s", 0.5), ("p95_s", 0.95), ("p99_s", 0.99))
        },
        cold=_estimate([run.collector.cold for run in runs]),
        errors=_estimate([_errors(candidate, run, world) for run in runs]),
        instances=_estimate([run.collector.instances for run in runs]),
        usd=_estimate([sum(line.usd for line in lines) for lines in bills if lines is not None])
        if bills[0] is not None else None,
    )  # fmt: skip
    return Outcome(
        label=candidate.label, platform=candidate.platform, settings=candidate.settings, figures=figures,
        misses=objective.misses(figures), bill=_mean_bill([lines for lines in bills if lines is not None]),
        slices=runs[0].collector.slices(),
    )  # fmt: skip


def _errors(candidate: Candidate, run: Simulated, world: World) -> float:
    """The share of errors; on spot instances all that interruptions may hit counts as failed."""
    errors = run.collector.errors
    if not isinstance(candidate, ContainerCandidate) or not candidate.spot:
        return errors
    assert world.spot is not None and run.containers is not None
    hit = world.spot.hit(run.containers.instance_s / run.length_s, candidate.book)
    return errors + (1 - errors) * hit


def evaluate_all(
    candidates: Sequence[Candidate], demand: Demand, world: World, objective: Objective, seeds: int
) -> Iterator[tuple[Candidate, Outcome]]:
    """The outcomes of several configurations, in their order, each as soon as it and those before it are known."""
    pool = ThreadPoolExecutor(WORKERS)
    try:
        found = pool.map(evaluate, candidates, repeat(demand), repeat(world), repeat(objective), repeat(seeds))
        yield from zip(candidates, found, strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


def rank(candidate: Candidate, one: Outcome, objective: Objective) -> tuple[float, ...]:
    """Those that meet the objective by cost, then the others by their distance from it; without a price last.

    Of equal bills, which differ by less than a cent, that of one platform goes before that of a hybrid.
    """
    usd = round(one.figures.usd.value, 2) if one.figures.usd else math.inf
    distance = objective.distance(one.figures)
    return (not one.meets, distance, usd, isinstance(candidate, HybridCandidate), one.figures.p95_s.value)


def is_close(found: Sequence[tuple[Candidate, Outcome]], objective: Objective) -> bool:
    """Whether chance decides which platform is the cheapest that meets the objective, or whether any one does.

    A platform may be the cheapest if the lowest bill of a configuration that may meet the objective is at most the
    highest bill of any configuration that surely meets it.
    """
    priced = [(one, out, out.figures.usd) for one, out in found if out.figures.usd]
    sure = min((usd.high for _, out, usd in priced if objective.surely_meets(out.figures)), default=math.inf)
    rivals = [one for one, out, usd in priced if objective.may_meet(out.figures) and usd.low <= sure]
    platforms = {one.platform for one in rivals if not isinstance(one, HybridCandidate)}
    # While nothing overflows, a hybrid costs as much as its containers: chance decides nothing between these two.
    platforms |= {
        one.platform for one in rivals if isinstance(one, HybridCandidate) and one.containers.platform not in platforms
    }
    return len(platforms) > 1 or (bool(rivals) and sure == math.inf)


def _estimate(values: Sequence[float]) -> Estimate:
    return Estimate(sum(values) / len(values), min(values), max(values))


def _mean_bill(bills: Sequence[Sequence[BillLine]]) -> list[BillLine]:
    """The mean of each line of several bills, which have the same lines."""
    return [BillLine(lines[0].what, sum(line.usd for line in lines) / len(lines)) for lines in zip(*bills, strict=True)]
