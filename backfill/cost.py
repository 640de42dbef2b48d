"""What a backfill cost by the list prices of the load test's costs; parts that are not known are left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from backfill.errors import BackfillError
from loadtest.cost.offers import NoCost, region_prices
from loadtest.cost.prices import Price, Prices
from loadtest.cost.tariff import (
    HOURS_PER_MONTH,
    alb_usd_per_month,
    compute_usd,
    ec2_usd_per_month,
    fargate_usd_per_month,
    http_api_usd,
)
from loadtest.platforms.aws_lambda import LambdaSettings
from loadtest.platforms.ecs import EcsSettings
from loadtest.platforms.fargate import FargateSettings
from loadtest.platforms.settings import InstanceSettings, Settings


@dataclass(frozen=True)
class Usage:
    """What was used: answered requests, their time in milliseconds, the bytes of a request with its answer, hours."""

    answered: int
    billed_ms: int
    bytes_per_picture: float
    hours: float


@dataclass(frozen=True)
class Cost:
    """US dollars, what they are for, and the day of the oldest price."""

    usd: float
    parts: str
    seen: date


def estimate(settings: Settings, usage: Usage, prices: Prices) -> Cost:
    """The costs on the platform of these settings; raises BackfillError for a region or an instance without a price."""
    try:
        region = region_prices(prices, settings.region)
    except NoCost as exc:
        raise BackfillError(str(exc)) from None
    if isinstance(settings, LambdaSettings):
        function = region.functions[settings.architecture]
        seconds, architecture = usage.billed_ms / 1000, settings.architecture
        usd = compute_usd(region, memory_mb=settings.memory_mb, architecture=architecture, seconds=seconds)
        usd += usage.answered * (function.request.usd + http_api_usd(region, answer_bytes=usage.bytes_per_picture))
        parts = (
            f"{usage.answered} requests of {settings.memory_mb} MB, by the times in the answers, and their calls of "
            "the HTTP API; left out are cold starts, failed requests"
        )
        return Cost(usd, parts, _oldest(function.gb_second, function.request, region.http_api))
    if not isinstance(settings, InstanceSettings):
        raise TypeError(f"no costs for {type(settings).__name__}")
    if isinstance(settings, FargateSettings):
        task = region.fargate[settings.architecture]
        paid: list[Price] = [task.vcpu_hour, task.gb_hour]
        month = fargate_usd_per_month(
            region, cpus=settings.cpus, task_memory_mb=settings.task_memory_mb, architecture=settings.architecture
        )
        what = f"tasks of {settings.cpus:g} CPUs and {settings.task_memory_mb} MB"
    elif isinstance(settings, EcsSettings):
        if settings.instance_type not in region.ec2:
            raise BackfillError(
                f"instance type {settings.instance_type} has no price; known are {', '.join(region.ec2)}"
            )
        month, paid = ec2_usd_per_month(region, settings.instance_type), [region.ec2[settings.instance_type]]
        what = settings.instance_type
    balancer = alb_usd_per_month(
        prices, region,
        pictures_per_month=usage.answered / max(usage.hours, 1e-9) * HOURS_PER_MONTH,
        bytes_per_picture=usage.bytes_per_picture,
    )  # fmt: skip
    usd = usage.hours / HOURS_PER_MONTH * (settings.instances * month + balancer)
    paid_for = f"{settings.instances} x {what} and a load balancer for {usage.hours:.2f} hours"
    return Cost(
        usd, f"{paid_for}; left out are surplus CPU credits", _oldest(*paid, region.alb.hour, region.alb.lcu_hour)
    )


def _oldest(*paid: Price) -> date:
    return min(price.seen for price in paid)
