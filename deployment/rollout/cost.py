"""What a deployment costs a month when nobody calls it, from Terraform's plan and the price list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deployment.rollout.errors import RolloutError
from loadtest.cost.prices import PRICES, Prices, RegionPrices
from loadtest.cost.tariff import HOURS_PER_MONTH, ec2_usd_per_month, fargate_usd_per_month, provisioned_usd_per_month

# Billed at rest, but not in the price list.
UNPRICED = {
    "aws_cloudwatch_metric_alarm": "alarms",
    "aws_cloudwatch_dashboard": "dashboards",
    "aws_cloudwatch_log_group": "stored logs",
}
Values = Mapping[str, Any]
Line = tuple[str, float]


def region_prices(prices: Prices, region: str) -> RegionPrices:
    """The prices of a region; raises RolloutError."""
    if region not in prices.regions:
        there = ", ".join(sorted(prices.regions))
        raise RolloutError(
            f"loadtest/cost/{PRICES.name} has no prices of region {region}, only of {there}: add them, or go on "
            "without the cost by ARGS=--without-cost"
        )
    return prices.regions[region]


def at_rest(planned: Sequence[Mapping[str, Any]], prices: RegionPrices, architecture: str) -> tuple[list[Line], str]:
    """What and USD a month for each part that is billed at rest, and a clause about what is not in it.

    `planned` are the resources of a plan's planned values. Raises RolloutError for a size without a price.
    """
    by_type: dict[str, list[Values]] = {}
    for one in planned:
        by_type.setdefault(str(one["type"]), []).append(one["values"])
    lines = [
        *_function(by_type, prices, architecture),
        *_instances(by_type, prices),
        *_tasks(by_type, prices, architecture),
    ]
    lines += [("load balancer", prices.alb.hour.usd * HOURS_PER_MONTH) for _ in by_type.get("aws_lb", [])]
    missing = [name for kind, name in UNPRICED.items() if kind in by_type]
    if "aws_ecs_service" in by_type:
        missing.append("disks, public IPv4 addresses")
    return lines, ", ".join(["images in ECR", *missing])


def _function(by_type: Mapping[str, Sequence[Values]], prices: RegionPrices, architecture: Any) -> Iterator[Line]:
    for function in by_type.get("aws_lambda_function", []):
        memory = function["memory_size"]
        for one in by_type.get("aws_lambda_provisioned_concurrency_config", []):
            count = one["provisioned_concurrent_executions"]
            usd = provisioned_usd_per_month(prices, memory_mb=memory, architecture=architecture, instances=count)
            yield f"{count} x provisioned instance of {memory} MB", usd
        if function.get("snap_start"):
            snapstart = prices.functions[architecture].snapstart
            if snapstart is None:
                raise RolloutError(
                    "SnapStart has no price in this region's list: ARGS=--without-cost goes on without it"
                )
            yield "SnapStart's cache", memory / 1024 * HOURS_PER_MONTH * 3600 * snapstart.cache_gb_second.usd


def _instances(by_type: Mapping[str, Sequence[Values]], prices: RegionPrices) -> Iterator[Line]:
    for group in by_type.get("aws_autoscaling_group", []):
        for template in by_type.get("aws_launch_template", []):
            kind, count = template["instance_type"], group["min_size"]
            if kind not in prices.ec2:
                raise RolloutError(
                    f"loadtest/cost/{PRICES.name} has no price of instance type {kind}, only of "
                    f"{', '.join(sorted(prices.ec2))}: add it, or go on without the cost by ARGS=--without-cost"
                )
            yield f"{count} x {kind}", count * ec2_usd_per_month(prices, kind)


def _tasks(by_type: Mapping[str, Sequence[Values]], prices: RegionPrices, architecture: Any) -> Iterator[Line]:
    if "aws_autoscaling_group" in by_type:  # Tasks on instances cost nothing more.
        return
    for scaling in by_type.get("aws_appautoscaling_target", []):
        for task in by_type.get("aws_ecs_task_definition", []):
            cpus, memory, count = int(task["cpu"]) / 1024, int(task["memory"]), scaling["min_capacity"]
            usd = fargate_usd_per_month(prices, cpus=cpus, task_memory_mb=memory, architecture=architecture)
            yield f"{count} x Fargate task of {cpus:g} vCPUs and {memory} MiB", count * usd
