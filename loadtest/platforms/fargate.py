"""AWS ECS on Fargate: tasks without instances to manage, behind a load balancer."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.cost.instances import instances_offer
from loadtest.cost.offers import Offer, agreed, region_prices
from loadtest.cost.prices import Architecture, Prices
from loadtest.cost.tariff import fargate_usd_per_month
from loadtest.platforms.base import Platform
from loadtest.platforms.settings import Count, InstanceSettings, Number
from loadtest.results.summary import Summary


class FargateSettings(InstanceSettings):
    """Settings of a Fargate service."""

    cpus: Number = 4
    task_memory_mb: Count = 8192
    architecture: Architecture = "x86_64"


def price(summaries: Sequence[Summary], prices: Prices) -> Offer:
    """The costs of Fargate tasks behind a load balancer; raises NoCost."""
    settings = agreed(summaries, FargateSettings, but=("instances",))
    region = region_prices(prices, settings.region)
    task = region.fargate[settings.architecture]
    usd = fargate_usd_per_month(
        region, cpus=settings.cpus, task_memory_mb=settings.task_memory_mb, architecture=settings.architecture
    )
    return instances_offer(
        summaries, prices, region,
        instance_usd=usd,
        description=(
            f"Tasks of {settings.cpus:g} CPUs and {settings.task_memory_mb} MB, {settings.region}, at "
            f"{task.vcpu_hour.usd:g} USD per vCPU-hour and {task.gb_hour.usd:g} per GB-hour "
            f"(prices of {task.vcpu_hour.seen})"
        ),
    )  # fmt: skip


PLATFORM = Platform(
    name="fargate", title="Fargate", position=3, settings=FargateSettings, size="cpus", unit=" CPUs", price=price
)
