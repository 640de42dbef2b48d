"""What would turn the decision round: the same decision under other traffic, cold starts, lifetimes and prices."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

from loadtest.cost.tariff import SECONDS_PER_MONTH
from loadtest.results.summary import Estimate
from planner.aws_lambda.rules import Rules
from planner.plan.bill import bill
from planner.plan.candidates import Candidate
from planner.plan.evaluate import WORKERS, is_close, outcome, rank
from planner.plan.objective import Objective
from planner.plan.search import least_usd
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
NO_PRICE = Estimate(math.nan, math.nan, math.nan)
MOST_SEEDS = 3  # Simulations behind each range here; a plan has hundreds of them.


def turns(
    candidates: Sequence[Candidate], demand: Demand, world: World, objective: Objective, seeds: int
) -> Iterator[Turn]:
    """The winner of these configurations under each changed assumption."""
    for times, what in ((2, "twice the traffic"), (0.5, "half the traffic")):
        yield _turn(what, _contenders(candidates, demand.scaled(times), world, objective, seeds), world, objective)
    colder = replace(world, cold_factor=2 * world.cold_factor)
    found = _contenders(candidates, demand, colder, objective, seeds)
    yield _turn("cold starts take twice as long", found, colder, objective)
    for minutes in LIFETIMES_MIN:
        changed = replace(world, lifetimes=Rules(idle_s=60 * minutes))
        what = f"idle instances of Lambda leave after {minutes} min"
        yield _turn(what, _contenders(candidates, demand, changed, objective, seeds), changed, objective)
    base = _contenders(candidates, demand, world, objective, seeds, dearer=DEARER)
    priced = [one.candidate.platform for one in base if bill(one.candidate, one.runs[0], world) is not None]
    for platform in dict.fromkeys(priced):
        changed = replace(world, dearer={platform: DEARER})
        yield _turn(f"{platform} {DEARER - 1:.0%} dearer", base, changed, objective)


def cost_curve(
    candidates: Sequence[Candidate], demand: Demand, world: World, objective: Objective, seeds: int
) -> CostCurve:
    """The bills of these configurations with the same shape of traffic at other volumes; raises TrafficError."""
    per_month = demand.per_s * SECONDS_PER_MONTH
    bills: dict[str, list[Estimate]] = {}
    meets: dict[str, list[bool]] = {}
    for volume in VOLUMES:
        found = _simulate_all(candidates, demand.scaled(volume / per_month), world, seeds)
        for _, one in _outcomes(found, world, objective):
            bills.setdefault(one.label, []).append(one.figures.usd or NO_PRICE)
            meets.setdefault(one.label, []).append(one.meets)
    usd, low, high = (
        {label: [getattr(bill, part) for bill in line] for label, line in bills.items()}
        for part in ("value", "low", "high")
    )
    return CostCurve(VOLUMES, usd, low, high, meets)


def heat_map(
    candidates: Sequence[Candidate], world: World, objective: Objective, seeds: int, progress: Callable[[str], None]
) -> HeatMap:
    """The cheapest platform by shape of traffic and volume."""
    rows: list[list[_Cell]] = []
    for shape in SHAPES:
        once = measure(load_traffic(shape))
        row: list[_Cell] = []
        for volume in MAP_VOLUMES:
            progress(f"heat map: {shape}, {volume:,} pictures a month")
            demand = once.scaled(volume / (once.per_s * SECONDS_PER_MONTH))
            found = _contenders(candidates, demand, world, objective, seeds, days=MAP_DAYS)
            row.append(_cell(found, world, objective))
        rows.append(row)
    platform, usd, low, high, close = zip(*(zip(*row, strict=True) for row in rows), strict=True)
    return HeatMap(SHAPES, MAP_VOLUMES, platform, usd, low, high, close)


@dataclass(frozen=True)
class _Found:
    candidate: Candidate
    runs: Sequence[Simulated]


class _Cell(NamedTuple):
    platform: str | None
    usd: float | None
    low: float | None
    high: float | None
    close: bool


def _contenders(
    candidates: Sequence[Candidate], demand: Demand, world: World, objective: Objective, seeds: int, *,
    days: int = MOST_DAYS, dearer: float = 1.0,
) -> list[_Found]:  # fmt: skip
    """Those that may be the cheapest, also if others become `dearer`, by the least that they cost.

    One that costs more than the highest bill of another that surely meets the objective is not simulated.
    """
    limited = demand.limited(MOST_REQUESTS, days)
    least = [least_usd(one, limited, world, objective) for one in candidates]
    found: list[_Found] = []
    sure = math.inf
    for number in sorted(range(len(candidates)), key=least.__getitem__):
        if least[number] > dearer * sure:
            break
        found += _simulate_all([candidates[number]], limited, world, seeds, days)
        figures = outcome(candidates[number], found[-1].runs, world, objective).figures
        if figures.usd and objective.surely_meets(figures):
            sure = min(sure, figures.usd.high)
    return found


def _simulate_all(
    candidates: Sequence[Candidate], demand: Demand, world: World, seeds: int, days: int = MOST_DAYS
) -> list[_Found]:
    limited = demand.limited(MOST_REQUESTS, days)
    numbers = range(1, min(seeds, MOST_SEEDS) + 1)
    with ThreadPoolExecutor(WORKERS) as pool:
        runs = pool.map(lambda pair: simulate(pair[0], limited, world, pair[1]), itertools.product(candidates, numbers))
        return [_Found(candidate, [next(runs) for _ in numbers]) for candidate in candidates]


def _outcomes(found: Sequence[_Found], world: World, objective: Objective) -> list[tuple[Candidate, Outcome]]:
    return [(one.candidate, outcome(one.candidate, one.runs, world, objective)) for one in found]


def _best(outcomes: Sequence[tuple[Candidate, Outcome]], objective: Objective) -> Outcome | None:
    meeting = [pair for pair in outcomes if pair[1].meets and pair[1].figures.usd]
    return min(meeting, key=lambda pair: rank(pair[0], pair[1], objective))[1] if meeting else None


def _turn(change: str, found: Sequence[_Found], world: World, objective: Objective) -> Turn:
    outcomes = _outcomes(found, world, objective)
    best, close = _best(outcomes, objective), is_close(outcomes, objective)
    return Turn(change, best.label if best else None, best.figures.usd if best else None, close)


def _cell(found: Sequence[_Found], world: World, objective: Objective) -> _Cell:
    outcomes = _outcomes(found, world, objective)
    best, close = _best(outcomes, objective), is_close(outcomes, objective)
    if best is None or best.figures.usd is None:
        return _Cell(None, None, None, None, close)
    usd = best.figures.usd
    return _Cell(best.platform, usd.value, usd.low, usd.high, close)
