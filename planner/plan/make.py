"""Making a plan: from measured runs, a traffic and an objective to everything that its page says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from loadtest.cost.prices import PRICES, Prices, price_warnings
from loadtest.cost.tariff import SECONDS_PER_MONTH
from loadtest.platforms.ecs import EcsSettings
from planner.aws_lambda.rules import AWS_2020, FIXED, SEBS_2021
from planner.errors import MeasuredError, PlannerError
from planner.plan.assumptions import USUAL_PICTURE, assumptions
from planner.plan.candidates import Candidate
from planner.plan.measured import ServiceTimes, read_measured
from planner.plan.objective import Objective
from planner.plan.search import finalists, search, usual, wide
from planner.plan.sensitivity import cost_curve, heat_map, turns
from planner.plan.spot import Spot
from planner.plan.types import CostCurve, HeatMap, Measured, Plan, TrafficFacts, Turn
from planner.plan.world import Demand, World, measure
from planner.traffic import Traffic

LIFETIMES = {"aws-2020": AWS_2020, "fixed": FIXED, "sebs-2021": SEBS_2021}
FEW = 20  # Samples below which a distribution is poorly known.


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a plan is asked for."""

    runs: Sequence[Path]
    traffic: Traffic
    objective: Objective
    prices: Prices
    region: str = "us-east-1"
    model: str | None = None
    picture: str = USUAL_PICTURE
    lifetimes: str = "aws-2020"
    cores_per_request: float = 1.7
    restore_s: float | None = None
    spot: Spot | None = None
    instance_type: str | None = None
    wide: bool = False
    seeds: int = 5
    today: date = field(default_factory=date.today)


def make_plan(request: Request, progress: Callable[[str], None] = lambda _: None) -> Plan:
    """Simulate all configurations and decide; raises PlannerError. Ctrl-C keeps what is finished."""
    times, measured = read_measured(request.runs, model=request.model, picture=request.picture)
    world = _world(request, times)
    demand = measure(request.traffic)
    candidates = _candidates(request, world, demand)
    found, notes, complete = search(candidates, demand, world, request.objective, request.seeds, progress)
    changed: list[Turn] = []
    curve: CostCurve | None = None
    heat: HeatMap | None = None
    try:
        if complete:
            # What has no price cannot be the cheapest.
            priced = [(candidate, one) for candidate, one in found if one.figures.usd]
            best = [candidate for candidate, _ in finalists(priced)]
            for turn in turns(best, demand, world, request.objective, request.seeds):
                progress(f"what would turn the decision: {turn.change}")
                changed.append(turn)
            first = [candidate for candidate, _ in finalists(priced, 1)]
            curve, more = _curve(first, demand, world, request.objective, request.seeds)
            notes += more
            heat = heat_map(first, world, request.objective, request.seeds, progress)
    except KeyboardInterrupt:
        complete = False
    return Plan(
        objective=str(request.objective), traffic=_facts(demand), measured=measured,
        outcomes=[one for _, one in found], turns=changed, cost_curve=curve, heat_map=heat,
        assumptions=assumptions(
            world, [one for one, _ in found], picture=request.picture, lifetimes=request.lifetimes
        ),
        warnings=[*_warnings(request, measured, times, demand), *measured.left_out, *notes], seeds=request.seeds,
        complete=complete,
    )  # fmt: skip


def _world(request: Request, times: Sequence[ServiceTimes]) -> World:
    if request.region not in request.prices.regions:
        known = ", ".join(request.prices.regions)
        raise MeasuredError(f"region {request.region} is not in {PRICES.name}, which has {known}: add its prices")
    functions = tuple(one for one in times if one.platform == "lambda")
    architectures = {one.settings.architecture for one in functions}  # type: ignore[attr-defined]
    if len(architectures) > 1:
        raise MeasuredError(f"the runs of Lambda are on {len(architectures)} architectures: name runs of one")
    services = {one.platform: one for one in times if one.platform != "lambda"}
    if not functions or not services:
        missing = "the service" if functions else "Lambda"
        raise MeasuredError(f"no run is of {missing}: measure profile single on both (make compare)")
    return World(
        functions=functions, services=services, prices=request.prices, region=request.region,
        lifetimes=LIFETIMES[request.lifetimes], cores_per_request=request.cores_per_request,
        restore_s=request.restore_s, spot=request.spot,
    )  # fmt: skip


def _candidates(request: Request, world: World, demand: Demand) -> list[Candidate]:
    instance_type = request.instance_type or EcsSettings().instance_type
    if instance_type not in world.region_prices.ec2:
        known = ", ".join(world.region_prices.ec2)
        raise MeasuredError(f"instance type {instance_type} has no price in {request.region}: take one of {known}")
    if request.wide:
        return wide(world, instance_type, demand.busiest_minute / 60)
    return usual(world, instance_type)


def _curve(
    candidates: Sequence[Candidate], demand: Demand, world: World, objective: Objective, seeds: int
) -> tuple[CostCurve | None, list[str]]:
    try:
        return cost_curve(candidates, demand, world, objective, seeds), []
    except PlannerError as exc:
        return None, [f"no cost over volume: {exc}"]


def _facts(demand: Demand) -> TrafficFacts:
    return TrafficFacts(
        name=demand.traffic.name,
        source="; ".join(demand.traffic.notes),
        requests=demand.requests,
        length_s=demand.once_s,
        per_month=demand.per_s * SECONDS_PER_MONTH,
        per_s=demand.per_s,
        busiest_minute=demand.busiest_minute,
        simulated_s=demand.length_s,
    )


def _warnings(request: Request, measured: Measured, times: Sequence[ServiceTimes], demand: Demand) -> Iterator[str]:
    yield from price_warnings(request.prices, request.today)
    if len(measured.commits) > 1:
        yield f"the runs are of {len(measured.commits)} commits: {', '.join(measured.commits)}"
    few = [text for one in times if (text := _few(one))]
    if few:
        yield f"fewer than {FEW} samples show little of the slow requests: {', '.join(few)}"
    if demand.repeats > 1:
        yield f"the traffic covers {demand.once_s / 3600:.3g} h and is repeated {demand.repeats} times"


def _few(one: ServiceTimes) -> str:
    """How few warm and cold samples a subject has; empty if it has enough."""
    counts = {"warm": one.warm_s.size} | ({"cold": one.cold_s.size} if one.platform == "lambda" else {})
    few = [f"{count} {name}" for name, count in counts.items() if count < FEW]
    return f"{one.label} has {' and '.join(few)}" if few else ""
