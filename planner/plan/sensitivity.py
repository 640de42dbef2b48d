"""What would turn the decision round: the same decision under other traffic, cold starts, lifetimes and prices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from loadtest.cost.tariff import SECONDS_PER_MONTH
from planner.aws_lambda.rules import Rules
from planner.plan.bill import bill
from planner.plan.candidates import Candidate
from planner.plan.evaluate import WORKERS, outcome, rank
from planner.plan.objective import Objective
from planner.plan.simulate import Simulated, simulate
from planner.plan.types import CostCurve, HeatMap, Outcome, Turn
from planner.plan.world import Demand, World, measure
from planner.traffic import load_traffic

# Of one simulation here; a longer traffic is cut to its first days.
MOST_REQUESTS, MOST_DAYS, MAP_DAYS = 300_000, 7, 3
LIFETIMES_MIN = (5, 10, 45)
DEARER = 1.1
VOLUMES = tuple(round(10 ** (k / 2)) for k in range(6, 15))  # pictures a month, 1,000 to 10 million
SHAPES = ("constant", "office-day", "office-week", "bursty", "night-batch")
MAP_VOLUMES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)


def turns(candidates: Sequence[Candidate], demand: Demand, world: World, objective: Objective) -> Iterator[Turn]:
    """The winner of these configurations under each changed assumption."""
    base = _simulate_all(candidates, demand, world)
    for times, what in ((2, "twice the traffic"), (0.5, "half the traffic")):
        yield _turn(what, _simulate_all(candidates, demand.scaled(times), world), world, objective)
    colder = replace(world, cold_factor=2 * world.cold_factor)
    yield _turn("cold starts take twice as long", _simulate_all(candidates, demand, colder), colder, objective)
    for minutes in LIFETIMES_MIN:
        changed = replace(world, lifetimes=Rules(idle_s=60 * minutes))
        what = f"idle instances of Lambda leave after {minutes} min"
        yield _turn(what, _simulate_all(candidates, demand, changed), changed, objective)
    priced = [one.candidate.platform for one in base if bill(one.candidate, one.simulated, world) is not None]
    for platform in dict.fromkeys(priced):
        changed = replace(world, dearer={platform: DEARER})
        yield _turn(f"{platform} {DEARER - 1:.0%} dearer", base, changed, objective)


def cost_curve(candidates: Sequence[Candidate], demand: Demand, world: World, objective: Objective) -> CostCurve:
    """The bills of these configurations with the same shape of traffic at other volumes; raises TrafficError."""
    per_month = demand.per_s * SECONDS_PER_MONTH
    usd: dict[str, list[float]] = {}
    meets: dict[str, list[bool]] = {}
    for volume in VOLUMES:
        for _, one in _outcomes(_simulate_all(candidates, demand.scaled(volume / per_month), world), world, objective):
            usd.setdefault(one.label, []).append(one.figures.usd.value if one.figures.usd else math.nan)
            meets.setdefault(one.label, []).append(one.meets)
    return CostCurve(VOLUMES, usd, meets)


def heat_map(
    candidates: Sequence[Candidate], world: World, objective: Objective, progress: Callable[[str], None]
) -> HeatMap:
    """The cheapest platform by shape of traffic and volume."""
    platforms: list[list[str | None]] = []
    bills: list[list[float | None]] = []
    for shape in SHAPES:
        traffic = load_traffic(shape)
        once = measure(traffic)
        row: list[tuple[str | None, float | None]] = []
        for volume in MAP_VOLUMES:
            progress(f"heat map: {shape}, {volume:,} pictures a month")
            demand = once.scaled(volume / (once.per_s * SECONDS_PER_MONTH))
            found = _best(_outcomes(_simulate_all(candidates, demand, world, MAP_DAYS), world, objective), objective)
            row.append((found.platform, found.figures.usd.value) if found and found.figures.usd else (None, None))
        platforms.append([name for name, _ in row])
        bills.append([usd for _, usd in row])
    return HeatMap(SHAPES, MAP_VOLUMES, platforms, bills)


@dataclass(frozen=True)
class _Found:
    candidate: Candidate
    simulated: Simulated


def _simulate_all(candidates: Sequence[Candidate], demand: Demand, world: World, days: int = MOST_DAYS) -> list[_Found]:
    limited = demand.limited(MOST_REQUESTS, days)
    with ThreadPoolExecutor(WORKERS) as pool:
        runs = pool.map(lambda one: simulate(one, limited, world, 1), candidates)
        return [_Found(candidate, run) for candidate, run in zip(candidates, runs, strict=True)]


def _outcomes(found: Sequence[_Found], world: World, objective: Objective) -> list[tuple[Candidate, Outcome]]:
    return [(one.candidate, outcome(one.candidate, [one.simulated], world, objective)) for one in found]


def _best(outcomes: Sequence[tuple[Candidate, Outcome]], objective: Objective) -> Outcome | None:
    meeting = [pair for pair in outcomes if pair[1].meets and pair[1].figures.usd]
    return min(meeting, key=lambda pair: rank(pair[0], pair[1], objective))[1] if meeting else None


def _turn(change: str, found: Sequence[_Found], world: World, objective: Objective) -> Turn:
    best = _best(_outcomes(found, world, objective), objective)
    return Turn(change, best.label, best.figures.usd.value) if best and best.figures.usd else Turn(change, None, None)
