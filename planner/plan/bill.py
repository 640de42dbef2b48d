"""The monthly bill of a simulated configuration, from the tariffs that the load tests use."""

from __future__ import annotations

import math
from collections.abc import Iterator

from loadtest.cost.instances import EXTRA_BYTES
from loadtest.cost.tariff import (
    HOURS_PER_MONTH,
    SECONDS_PER_MONTH,
    alb_usd_per_month,
    compute_usd,
    ec2_usd_per_month,
    eks_usd_per_month,
    fargate_usd_per_month,
    http_api_usd,
    provisioned_usd_per_month,
    snapstart_usd_per_month,
)
from loadtest.platforms.aws_lambda import LambdaSettings
from loadtest.platforms.fargate import FargateSettings
from planner.plan.candidates import Candidate, ContainerCandidate, HybridCandidate
from planner.plan.simulate import FunctionUse, Simulated
from planner.plan.types import BillLine
from planner.plan.world import World

ON_EC2 = ("ecs", "eks")


def replica_usd(candidate: ContainerCandidate, world: World) -> float:
    """A month of one instance on ECS or EKS, of one task on Fargate, with the templates' memory per CPU."""
    prices = world.region_prices
    if candidate.price_of in ON_EC2:
        return ec2_usd_per_month(prices, candidate.size) * (1 - _discount(candidate, world))
    task, cpus = FargateSettings(), candidate.book.replica.request_cores
    return fargate_usd_per_month(
        prices, cpus=cpus, task_memory_mb=task.task_memory_mb / task.cpus * cpus, architecture=task.architecture
    )


def _discount(candidate: ContainerCandidate, world: World) -> float:
    if not candidate.spot:
        return 0.0
    assert world.spot is not None
    return world.spot.discount


def least_containers_usd(candidate: ContainerCandidate, world: World) -> float:
    """A month with the fewest instances or tasks and without requests."""
    book, prices = candidate.book, world.region_prices
    least = book.scaler.min_replicas
    if book.instances:
        least = max(book.instances.min_replicas, math.ceil(least / book.instances.tasks_each))
    idle = alb_usd_per_month(world.prices, prices, pictures_per_month=0, bytes_per_picture=0)
    cluster = eks_usd_per_month(prices) if candidate.price_of == "eks" else None
    return least * replica_usd(candidate, world) + idle + (cluster or 0)


def has_price(candidate: ContainerCandidate, world: World) -> bool:
    """Whether the region has all prices of a platform."""
    return candidate.price_of != "eks" or world.region_prices.eks is not None


def bill(candidate: Candidate, simulated: Simulated, world: World) -> list[BillLine] | None:
    """The lines of a month's bill; None if the platform has no price.

    What was simulated is taken as typical: quantities are multiplied by the month's length over the simulated one.
    """
    containers = candidate if isinstance(candidate, ContainerCandidate) else None
    containers = candidate.containers if isinstance(candidate, HybridCandidate) else containers
    lines: list[BillLine] = []
    if containers:
        if not has_price(containers, world):
            return None
        lines += _containers(containers, simulated, world)
    if simulated.function:
        lines += _function(simulated.function, simulated, world)
    return [BillLine(one.what, one.usd * world.dearer.get(candidate.platform, 1)) for one in lines]


def _function(use: FunctionUse, simulated: Simulated, world: World) -> Iterator[BillLine]:
    settings = use.times.settings
    assert isinstance(settings, LambdaSettings)
    prices, memory_mb, architecture = world.region_prices, settings.memory_mb, settings.architecture
    months = SECONDS_PER_MONTH / simulated.length_s
    for what, count, billed_s in (
        ("warm requests, GB-seconds", use.warm, use.drawn.warm_billed_s),
        ("cold starts, GB-seconds", use.cold, use.drawn.cold_billed_s),
    ):
        usd = compute_usd(prices, memory_mb=memory_mb, architecture=architecture, seconds=count * billed_s)
        yield BillLine(what, usd * months)
    requests = (use.warm + use.cold) * months
    yield BillLine("requests", requests * prices.functions[architecture].request.usd)
    yield BillLine("HTTP API", requests * http_api_usd(prices, answer_bytes=use.times.answer_bytes))
    if use.snapstart:
        usd = snapstart_usd_per_month(
            prices, memory_mb=memory_mb, architecture=architecture, restores=use.cold * months
        )
        yield BillLine("SnapStart", usd)
    if use.provisioned:
        usd = provisioned_usd_per_month(
            prices, memory_mb=memory_mb, architecture=architecture, instances=use.provisioned
        )
        yield BillLine("provisioned instances", usd)


def _containers(candidate: ContainerCandidate, simulated: Simulated, world: World) -> Iterator[BillLine]:
    usage, prices = simulated.containers, world.region_prices
    assert usage is not None
    length_s = simulated.length_s
    if candidate.price_of in ON_EC2:
        cluster = eks_usd_per_month(prices) if candidate.price_of == "eks" else None
        if cluster is not None:
            yield BillLine("EKS cluster", cluster)
        discount = f", spot, {100 * _discount(candidate, world):.4g}% off the list price" if candidate.spot else ""
        yield BillLine(
            f"{candidate.size} instances{discount}", usage.instance_s / length_s * replica_usd(candidate, world)
        )
        surplus_h = usage.surplus_vcpu_s / length_s * HOURS_PER_MONTH
        if candidate.size in world.prices.burstable:
            yield BillLine("surplus CPU credits", surplus_h * prices.surplus_credits.usd)
    else:
        usd = usage.replica_s / length_s * replica_usd(candidate, world)
        yield BillLine(f"Fargate tasks of {candidate.size}", usd)
    pictures = simulated.requests_to_containers * SECONDS_PER_MONTH / length_s
    size = world.service(candidate.price_of).answer_bytes + EXTRA_BYTES
    usd = alb_usd_per_month(world.prices, prices, pictures_per_month=pictures, bytes_per_picture=size)
    yield BillLine("load balancer", usd)
