"""Making a plan: from measured runs, a traffic and an objective to everything that its page says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from loadtest.cost.offers import LEFT_OUT
from loadtest.cost.prices import PRICES, Prices, price_warnings
from loadtest.cost.tariff import SECONDS_PER_MONTH
from loadtest.platforms.ecs import EcsSettings
from planner.aws_lambda.rules import AWS_2020, FIXED, SEBS_2021, Rules
from planner.errors import MeasuredError, PlannerError
from planner.plan.candidates import Candidate, ContainerCandidate
from planner.plan.measured import ServiceTimes, read_measured
from planner.plan.objective import Objective
from planner.plan.search import finalists, search, usual, wide
from planner.plan.sensitivity import cost_curve, heat_map, turns
from planner.plan.simulate import API_GATEWAY_S
from planner.plan.types import CostCurve, HeatMap, Measured, Outcome, Plan, TrafficFacts, Turn
from planner.plan.world import Demand, World, measure
from planner.scaling.books import Assumption
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
    picture: str = "scenes"
    lifetimes: str = "aws-2020"
    cores_per_request: float = 1.7
    restore_s: float | None = None
    instance_type: str | None = None
    wide: bool = False
    seeds: int = 5
    today: date = field(default_factory=date.today)


def make_plan(request: Request, progress: Callable[[str], None] = lambda _: None) -> Plan:
    """Simulate all configurations and decide; raises PlannerError. Ctrl-C keeps what is finished."""
    times, measured, left_out = read_measured(request.runs, model=request.model, picture=request.picture)
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
        assumptions=list(_assumptions(request, world, demand, found)),
        warnings=[*_warnings(request, measured, times, demand), *left_out, *notes], seeds=request.seeds,
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
        restore_s=request.restore_s,
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
    for one in times:
        if one.warm_s.size < FEW:
            yield f"{one.label} has {one.warm_s.size} warm samples; fewer than {FEW} show little of the slow ones"
        if one.platform == "lambda" and one.cold_s.size < FEW:
            yield f"{one.label} has {one.cold_s.size} cold samples; fewer than {FEW} show little of the slow ones"
    if demand.repeats > 1:
        yield f"the traffic covers {demand.once_s / 3600:.3g} h and is repeated {demand.repeats} times"


def _assumptions(
    request: Request, world: World, demand: Demand, found: Sequence[tuple[Candidate, Outcome]]
) -> Iterator[Assumption]:
    rules = world.lifetimes
    yield Assumption(
        "service times", "requests that no other request of their run overlapped", "the measured runs, docs/planner.md"
    )
    yield Assumption("pictures", request.picture, "--picture; service times by kind from the measured runs")
    if len(world.functions[0].kinds) > 1:
        yield Assumption(
            "mix of pictures",
            "each request has a random kind; with Knative only the time of detection depends on it",
            "assumption; traffic does not tell the pictures",
        )
    if "=" in request.picture or request.picture != Request.picture:
        yield Assumption(
            "cold starts with a kind of picture that no cold start was measured with",
            "those with other pictures, plus the difference of the mean warm responses",
            "assumption: the start does not depend on the picture",
        )
    yield Assumption(
        "processors",
        "each function, instance and task is as fast as the measured one, whatever its type",
        "assumption; measure on AWS to replace it",
    )
    if len(world.functions) > 1:
        yield Assumption(
            "memory between measured sizes", "time over processors, interpolated", "the measured runs of Lambda"
        )
    yield Assumption("Lambda: lifetime of instances", request.lifetimes + ": " + _shown(rules), "docs/planner.md")
    yield Assumption(
        "Lambda: concurrency",
        f"{rules.concurrency} at once, {rules.burst} new in {rules.burst_s:g} s; beyond that status 429",
        "https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html",
    )  # fmt: skip
    if world.restore_s is not None:
        yield Assumption(
            "Lambda: restore of a snapshot", f"{world.restore_s:g} s, then a warm request",
            "--restore-s; nothing was measured",
        )  # fmt: skip
    yield Assumption(
        "API Gateway: longest request", f"{API_GATEWAY_S:g} s; a longer one fails, but is billed",
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html",
    )  # fmt: skip
    yield Assumption(
        "containers: cores of a busy replica", f"{world.cores_per_request:g}",
        "deployment/README.md: assumption for YOLOv7-W6, the processors of the local Lambda with 3000 MB",
    )  # fmt: skip
    yield Assumption(
        "hybrid: router", "a router sends a request to Lambda if each container has others waiting",
        "assumption: this project has no such router",
    )  # fmt: skip
    yield Assumption(
        "EKS: load balancer", "an application load balancer in front of the cluster; kube-proxy chooses the pod",
        "assumption: deployment/kubernetes has none",
    )  # fmt: skip
    yield Assumption("cost", LEFT_OUT, "loadtest/cost/prices.json")
    yield Assumption("month", "730 hours of the simulated traffic, repeated", "as in the report of the load tests")
    for book in {c.book.title: c.book for c, _ in found if isinstance(c, ContainerCandidate)}.values():
        for one in book.assumptions():
            yield Assumption(f"{book.title}: {one.name}", one.value, one.source)


def _shown(rules: Rules) -> str:
    """The lifetimes in words."""
    parts = []
    if math.isfinite(rules.idle_s):
        parts.append(f"an idle instance leaves after {rules.idle_s:g} s")
    if math.isfinite(rules.function_idle_s):
        parts.append(f"all leave {rules.function_idle_s:g} s after the function's last response")
    if math.isfinite(rules.halving_s):
        parts.append(f"half of the idle ones leave every {rules.halving_s:g} s")
    if math.isfinite(rules.oldest_s[1]):
        parts.append(f"none becomes older than {rules.oldest_s[0]:g} to {rules.oldest_s[1]:g} s")
    return ", ".join(parts)
