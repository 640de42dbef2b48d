"""The tariffs, calculated by hand from round prices."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.cost.tariff import (
    alb_usd_per_month,
    capacity_per_month,
    ec2_usd_per_month,
    fargate_usd_per_month,
    instances_needed,
    lambda_usd_per_request,
    load_balancer_units,
    provisioned_usd_per_month,
)
from tests.loadtest.cost.costing import REGION, ROUND, T3A


@pytest.mark.parametrize(
    ("memory_mb", "architecture", "billed_ms", "answer_bytes", "usd"),
    [
        # 2 GB x 0.8 s x 1e-5 = 16e-6; request 0.2e-6; call 1e-6.
        (2048, "x86_64", 800, 1000, 17.2e-6),
        # 2 GB x 0.8 s x 8e-6 = 12.8e-6, the rest as before.
        (2048, "arm64", 800, 1000, 14.0e-6),
        # 1 GB x 0.001 s x 1e-5 = 0.01e-6: a started millisecond counts as a whole one.
        (1024, "x86_64", 0.2, 1000, 1.21e-6),
        # 800.01 ms are billed as 801: 1 GB x 0.801 s x 1e-5 = 8.01e-6.
        (1024, "x86_64", 800.01, 1000, 9.21e-6),
        # 512 KB are one call; one byte more makes two.
        (1024, "x86_64", 800, 524_288, 9.2e-6),
        (1024, "x86_64", 800, 524_289, 10.2e-6),
        (1024, "x86_64", 800, 0, 9.2e-6),
    ],
)  # fmt: skip
def test_a_request_to_lambda_costs_its_time_and_its_calls(
    memory_mb: float, architecture: Any, billed_ms: float, answer_bytes: float, usd: float
) -> None:
    assert lambda_usd_per_request(
        REGION, memory_mb=memory_mb, architecture=architecture, billed_ms=billed_ms, answer_bytes=answer_bytes
    ) == pytest.approx(usd)


def test_provisioned_concurrency_costs_all_month() -> None:
    # 3 x 2 GB x 730 h x 3600 s x 4e-6 = 63.072.
    cost = provisioned_usd_per_month(REGION, memory_mb=2048, architecture="x86_64", instances=3)
    assert cost == pytest.approx(63.072)


def test_instances_and_tasks_cost_730_hours_a_month() -> None:
    assert ec2_usd_per_month(REGION, "c6a.xlarge") == pytest.approx(146.0)
    # 730 x (4 x 0.03 + 8 x 0.003) = 105.12.
    cost = fargate_usd_per_month(REGION, cpus=4, task_memory_mb=8192, architecture="arm64")
    assert cost == pytest.approx(105.12)


@pytest.mark.parametrize(
    ("pictures", "size", "rules", "units"),
    [
        # 2,628,000 s a month, so one picture per second: new connections 1 / 25 = 0.04 and active ones
        # 60 / 3000 = 0.02, 1000 bytes are 0.0036 GB per hour.
        (2_628_000, 1_000, 1, 0.04),
        # 100 kB are 0.36 GB per hour, more than 0.04.
        (2_628_000, 100_000, 1, 0.36),
        # 110 rules, ten of them free: 100 / 1000 = 0.1.
        (2_628_000, 1_000, 110, 0.1),
        (0, 1_000, 1, 0.0),
    ],
)  # fmt: skip
def test_capacity_units_are_those_of_the_largest_dimension(pictures: int, size: int, rules: int, units: float) -> None:
    assert load_balancer_units(
        ROUND.lcu, pictures_per_month=pictures, bytes_per_picture=size, rules=rules
    ) == pytest.approx(units)


def test_active_connections_can_be_the_largest_dimension() -> None:
    few = ROUND.lcu.model_copy(update={"active_connections_per_minute": 600})
    assert load_balancer_units(few, pictures_per_month=2_628_000, bytes_per_picture=1000) == pytest.approx(0.1)


def test_a_load_balancer_costs_hours_and_capacity_units() -> None:
    # 730 x (0.02 + 0.04 x 0.01) = 14.892.
    cost = alb_usd_per_month(ROUND, REGION, pictures_per_month=2_628_000, bytes_per_picture=1000)
    assert cost == pytest.approx(14.892)


@pytest.mark.parametrize(("pictures", "count"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (2000, 2), (2001, 3)])
def test_the_number_of_instances_is_rounded_up_from_one(pictures: int, count: int) -> None:
    assert instances_needed(pictures, 1000) == count


def test_capacity_is_seventy_percent_of_the_best_throughput() -> None:
    # 0.7 x 2,628,000 s.
    assert capacity_per_month(1.0) == 1_839_600
    assert capacity_per_month(1e-9) == 1


@pytest.mark.parametrize(
    ("pictures", "usd"),
    [
        (0, 87.6),
        # 40,000 of 100,000 possible pictures are 40%, the baseline.
        (40_000, 87.6),
        # 70%: 730 h x 4 processors x 0.3 x 0.05 = 43.8 more.
        (70_000, 131.4),
        # Two instances at 40% each.
        (80_000, 160.6),
        # Two at 70%: 87.6 more.
        (140_000, 248.2),
    ],
)
def test_a_t3_pays_for_use_above_its_baseline(pictures: int, usd: float) -> None:
    assert T3A.usd(pictures) == pytest.approx(usd)
