"""AWS ECS on EC2: one task per instance, behind a load balancer."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.cost.instances import instances_offer
from loadtest.cost.offers import NoCost, Offer, agreed, region_prices
from loadtest.cost.prices import PRICES, Prices
from loadtest.cost.tariff import ec2_usd_per_month
from loadtest.platforms.base import Platform
from loadtest.platforms.settings import InstanceSettings
from loadtest.results.summary import Summary


class EcsSettings(InstanceSettings):
    """Settings of an ECS service."""

    instance_type: str = "t3a.xlarge"


def price(summaries: Sequence[Summary], prices: Prices) -> Offer:
    """The costs of EC2 instances behind a load balancer; raises NoCost."""
    settings = agreed(summaries, EcsSettings, but=("instances",))
    region, kind = region_prices(prices, settings.region), settings.instance_type
    if kind not in region.ec2:
        raise NoCost(f"instance type {kind} is not in loadtest/cost/{PRICES.name}, which has {', '.join(region.ec2)}")
    hour = region.ec2[kind]
    return instances_offer(
        summaries, prices, region,
        instance_usd=ec2_usd_per_month(region, kind),
        description=f"{kind}, {settings.region}, at {hour.usd:g} USD per hour (price of {hour.seen})",
        burst=prices.burstable.get(kind),
    )  # fmt: skip


PLATFORM = Platform(name="ecs", title="ECS", position=2, settings=EcsSettings, size="instance_type", price=price)
