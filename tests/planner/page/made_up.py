"""A made-up plan: a function that meets the objective, tasks that are dearer, and sizes that miss it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from loadtest.results.summary import Estimate
from planner.page.page import to_html
from planner.plan.types import BillLine, CostCurve, Figures, HeatMap, Measured, Outcome, Plan, Slice, TrafficFacts, Turn
from planner.scaling.books import Assumption, load_book

DAY_S = 86_400.0
PER_MONTH = 730 * 3600 * 0.9
OBJECTIVE = "p95<=2s,errors<=0.1%"
# Platform, settings, p50, share of cold starts, errors, mean instances, USD a month.
Tried = tuple[str, dict[str, str], float, float, float, float, float]
TRIED: list[Tried] = [
    ("Lambda", {"memory_mb": "1769"}, 1.24, 0.0041, 0.0, 1.9, 71.4),
    ("Lambda", {"memory_mb": "3000"}, 0.93, 0.0038, 0.0002, 1.4, 82.6),
    ("Fargate", {"vcpu": "2", "min_tasks": "2"}, 1.02, 0.0, 0.0, 2.6, 187.2),
    ("ECS", {"instance_type": "t3a.xlarge", "min_tasks": "2"}, 0.81, 0.0, 0.0, 2.2, 241.3),
    ("Kubernetes", {"cores": "2", "min_replicas": "3"}, 0.97, 0.0, 0.0008, 3.1, 301.8),
    ("Fargate", {"vcpu": "4", "min_tasks": "2"}, 0.74, 0.0, 0.0, 2.1, 344.0),
    ("Kubernetes", {"cores": "2", "min_replicas": "1"}, 1.31, 0.0, 0.004, 1.7, 160.0),
    ("ECS", {"instance_type": "t3a.xlarge", "min_tasks": "1"}, 1.12, 0.0, 0.012, 1.3, 122.4),
    ("Lambda", {"memory_mb": "1024"}, 2.38, 0.0049, 0.0, 3.2, 69.8),
    ("ECS", {"instance_type": "t3a.large", "min_tasks": "1"}, 2.9, 0.0, 0.081, 2.9, 118.1),
]
UNITS = {
    "memory_mb": " MB", "instance_type": ",", "vcpu": " vCPU,", "cores": " cores,", "min_tasks": " tasks",
    "min_replicas": " pods",
}  # fmt: skip
SHAPES = ["steady", "office hours", "bursts of a minute", "a request every hour"]
VOLUMES = [1e4, 1e5, 3e5, 1e6, 3e6, 1e7, 1e8]


def estimate(value: float, spread: float = 0.03) -> Estimate:
    """A figure with a relative range on both sides."""
    return Estimate(value, value * (1 - spread), value * (1 + spread))


def slices(seed: int, p50: float, cold: float, errors: float, instances: float, count: int = 144) -> list[Slice]:
    """A day whose nights are empty and whose noon is busy."""
    dice, made = random.Random(seed), []
    for i in range(count):
        busy = max(0.0, math.sin(math.pi * (24 * i / count - 6) / 14)) if 6 <= 24 * i / count <= 20 else 0.0
        requests = round(1100 * busy * 144 / count * (0.9 + 0.2 * dice.random()))
        took = p50 * (1 + 0.3 * busy**3) * dice.lognormvariate(0, 0.05)
        failed, started = (round(requests * part * 2 * busy) for part in (errors, cold))
        active = max(1.0, round(instances * (0.4 + 1.6 * busy)))
        times = (took, took * (1.3 + 4 * errors)) if requests else (None, None)
        made.append(Slice(DAY_S * i / count, requests, failed, started, active, *times))
    return made


def outcome(tried: Tried, seed: int = 1, count: int = 144) -> Outcome:
    """What a configuration does; the misses follow from its figures and the objective."""
    platform, settings, p50, cold, errors, instances, bill = tried
    p95 = p50 * (1.3 + 8 * errors)
    misses = [f"p95 {p95:.2f} s > 2 s"] * (p95 > 2) + [f"errors {errors:.1%} > 0.1%"] * (errors > 0.001)
    figures = Figures(
        p50_s=estimate(p50, 0.01), p95_s=estimate(p95), p99_s=estimate(p95 * 1.7, 0.08), cold=estimate(cold, 0.2),
        errors=estimate(errors, 0.4), instances=estimate(instances, 0.02), usd=estimate(bill, 0.02),
    )  # fmt: skip
    part = "GB-seconds" if platform == "Lambda" else "instances"
    lines = [
        BillLine(part, bill * 0.88),
        BillLine("requests" if platform == "Lambda" else "load balancer", bill * 0.12),
    ]
    label = " ".join([platform, *(f"{value}{UNITS.get(name, '')}" for name, value in settings.items())])
    return Outcome(
        label, platform, settings, figures, misses, lines, slices(seed, p50, cold, errors, instances, count)
    )  # fmt: skip


def outcomes(tried: Sequence[Tried] = tuple(TRIED)) -> list[Outcome]:
    """All configurations in the order of a plan."""
    made = [outcome(one, seed) for seed, one in enumerate(tried)]
    return sorted(made, key=lambda one: (not one.meets, one.figures.usd.value if one.figures.usd else 0))


def cost_curve(made: Sequence[Outcome]) -> CostCurve:
    """Functions cost by use, everything else in steps; a slow function and many requests miss the objective."""
    volumes = [10 ** (3 + i / 10) for i in range(51)]
    usd, low, high, meets = {}, {}, {}, {}
    for one in made:
        bill = one.figures.usd.value if one.figures.usd else 0.0
        capacity = PER_MONTH / 1.5
        steps = [bill * max(0.4, math.ceil(volume / capacity)) for volume in volumes]
        usd[one.label] = [bill * volume / PER_MONTH for volume in volumes] if one.platform == "Lambda" else steps
        low[one.label] = [0.95 * bill for bill in usd[one.label]]
        high[one.label] = [1.05 * bill for bill in usd[one.label]]
        meets[one.label] = [one.meets and volume < 4e7 for volume in volumes]
    return CostCurve(volumes, usd, low, high, meets)


def heat_map() -> HeatMap:
    """Functions are cheap for little traffic, tasks for much."""
    function: list[str | None] = ["Lambda"]
    winners = [
        function * 4 + ["Fargate", "ECS", "ECS"],
        function * 5 + ["ECS", "ECS"],
        function * 6 + [None],
        function * 3 + [None] * 4,
    ]
    bills, low, high = (
        [[volume * per if one else None for one, volume in zip(row, VOLUMES, strict=True)] for row in winners]
        for per in (3.5e-5, 3.4e-5, 3.7e-5)
    )
    close = [[one != "Lambda" and volume <= 3e6 for one, volume in zip(row, VOLUMES, strict=True)] for row in winners]
    return HeatMap(SHAPES, VOLUMES, winners, bills, low, high, close)


def assumptions() -> list[Assumption]:
    """The rules of ECS and of Kubernetes, and prices."""
    prices = [
        Assumption("price of a GB-second", "0.0000166667 USD", "https://aws.amazon.com/lambda/pricing/, 2026-11-02")
    ]
    return [*load_book("ecs").assumptions(), *load_book("kubernetes").assumptions(), *prices]


TURNS = [
    Turn("half the traffic", "Lambda 1769 MB", estimate(35.7)),
    Turn("twice the traffic", "Lambda 1769 MB", estimate(142.8)),
    Turn("ten times the traffic", "Fargate 2 vCPU, 2 tasks", estimate(655.0), close=True),
    Turn("service times 20% longer", "Lambda 3000 MB", estimate(99.1)),
    Turn("a limit of 1 s for p95", "Fargate 4 vCPU, 2 tasks", estimate(344.0)),
    Turn("a limit of 0.5 s for p95", None, None),
    Turn("provisioned instances at twice the price", "Lambda 1769 MB", estimate(71.4)),
]
TRAFFIC = TrafficFacts(
    "office-hours", "office-hours.csv, counts per minute", 77_760, DAY_S, PER_MONTH, 0.9, 131, DAY_S
)  # fmt: skip
MEASURED = Measured(
    "yolov7-w6:5f0c1a2b3c4d",
    "local",
    ["AMD EPYC, 2 processors, Linux 6.1"],
    ["9eba93d"],
    ["20261122T081616-lambda-single", "20261122T081629-ecs-single"],
    "2026-11-22",
    "2026-11-23",
    ["AMD EPYC, AVX2"],
)


def plan(**more: object) -> Plan:
    """A whole plan of ten configurations, changed as given."""
    made = outcomes()
    whole = Plan(
        objective=OBJECTIVE, traffic=TRAFFIC, measured=MEASURED, outcomes=made, turns=TURNS,
        cost_curve=cost_curve(made), heat_map=heat_map(), assumptions=assumptions(),
        warnings=["the prices of Fargate are older than a year"], seeds=5, complete=True,
    )  # fmt: skip
    return replace(whole, **more)  # type: ignore[arg-type]


def large(configurations: int = 400, count: int = 600) -> Plan:
    """A plan of as many configurations and slices as there may be, with long names; the first 200 have a cost curve."""
    dice, made = random.Random(3), []
    for i in range(configurations):
        platform, settings, *figures = TRIED[i % len(TRIED)]
        settings = settings | {"architecture": "arm64", "provisioned_concurrency": str(i), "region": "eu-central-1"}
        p50, cold, errors, instances, bill = (value * dice.uniform(0.7, 1.5) for value in figures)
        made.append(outcome((platform, settings, p50, cold, errors, instances, bill), i, count))
    made.sort(key=lambda one: (not one.meets, one.figures.usd.value if one.figures.usd else 0))
    return plan(outcomes=made, cost_curve=cost_curve(made[:200]), assumptions=assumptions() * 4)


def page(made: Plan | None = None, report: str | None = "report.html") -> str:
    """The page of a plan."""
    return to_html(
        made or plan(), made="2026-11-24 12:00 UTC", command="python -m planner plan office-hours.csv", report=report
    )
