"""The costs of one platform, from its runs and its settings."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.cost.offers import NoCost
from loadtest.results.summary import Phase, Status
from tests.loadtest.cost.costing import offer, option, phase, summary


def test_billed_time_is_the_mean_of_all_answers_with_cold_starts() -> None:
    runs = [
        summary(requests=300, billed_ms=700.0, settings={"memory_mb": 2048}),
        summary(requests=100, billed_ms=1100.0, settings={"memory_mb": 2048}),
        summary(requests=50, billed_ms=None, answered=0, errors={"overloaded": 50}, settings={"memory_mb": 2048}),
    ]
    found = option(runs)
    # (300 x 700 + 100 x 1100) / 400 = 800 ms, which cost 17.2e-6 per request with 2048 MB (see test_tariff.py).
    assert found.usd_per_1000 == pytest.approx(0.0172)
    assert found.fixed_usd_per_month == 0 and found.capacity_per_month is None
    assert "800.0 ms billed per picture, cold starts included" in found.assumptions[1]


def test_billed_time_comes_from_the_steady_profile_if_it_was_run() -> None:
    runs = [summary(billed_ms=900.0, profile="batches"), summary(billed_ms=800.0, profile="steady")]
    assert option(runs).usd_per_1000 == option([summary(billed_ms=800.0)]).usd_per_1000


def test_without_settings_lambda_has_3000_mb_of_x86_in_us_east_1() -> None:
    # 3000 / 1024 GB x 0.8 s x 1e-5 = 23.4375e-6, and 1.2e-6.
    assert option([summary()]).usd_per_1000 == pytest.approx(0.0246375)
    assert option([summary()]).assumptions[0].startswith("3000 MB, x86_64, us-east-1: 0.0000100000 USD")


def test_provisioned_concurrency_is_the_fixed_cost_of_lambda() -> None:
    run = summary(settings={"memory_mb": 2048, "provisioned_concurrency": 3})
    assert option([run]).fixed_usd_per_month == pytest.approx(63.072)
    assert offer([run]).curve.usd(1000) == pytest.approx(63.072 + 0.0172)


@pytest.mark.parametrize(
    ("status", "errors", "phases", "settings", "capacity"),
    [
        ("finished", {}, [], {}, 1_839_600),
        ("interrupted", {}, [], {}, 1_839_600),
        ("finished", {}, [phase(2.0), phase(1.5)], {}, 3_679_200),
        # A throughput with one error in a hundred or more does not count, of a phase or of a run.
        ("finished", {}, [phase(2.0, errors=10)], {}, 1_839_600),
        ("finished", {}, [phase(2.0, errors=9)], {}, 3_679_200),
        ("finished", {"overloaded": 1}, [phase(0.5)], {}, 919_800),
        ("finished", {}, [phase(9.0, requests=0)], {}, 1_839_600),
        # There were four instances during the run, so one did a quarter.
        ("finished", {}, [phase(2.0)], {"instances": 4}, 919_800),
    ],
)
def test_capacity_is_the_best_throughput_without_errors_by_instance(
    status: Status, errors: dict[str, int], phases: list[Phase], settings: dict[str, Any], capacity: int
) -> None:
    run = summary("ecs", status=status, errors=errors, phases=phases, settings=settings)
    assert option([run]).capacity_per_month == capacity


def test_a_failed_run_does_not_count_for_capacity() -> None:
    failed = summary("ecs", status="failed", throughput_per_s=9.0)
    assert option([failed, summary("ecs")]).capacity_per_month == 1_839_600
    with pytest.raises(NoCost, match="less than 1% of errors"):
        option([failed])


def test_ecs_costs_its_instance_and_the_load_balancer() -> None:
    run = summary("ecs", settings={"instance_type": "c6a.xlarge"})
    found = option([run])
    assert found.fixed_usd_per_month == pytest.approx(146 + 14.6)
    # At 0.7 pictures per second: 0.028 LCU x 730 h x 0.01 = 0.2044; 160.8044 for 1839.6 thousand.
    assert found.usd_per_1000 == pytest.approx(160.8044 / 1839.6)
    assert "above 9198000 pictures a month" in " ".join(found.assumptions)


def test_without_settings_ecs_is_a_t3a_xlarge_with_its_surplus_credits() -> None:
    found = option([summary("ecs")])
    assert found.fixed_usd_per_month == pytest.approx(73 + 14.6)
    # 43.8 for surplus credits at 70% (see test_tariff.py) and 0.2044 for LCUs.
    assert found.usd_per_1000 == pytest.approx((87.6 + 43.8 + 0.2044) / 1839.6)


def test_fargate_is_priced_by_processors_and_memory() -> None:
    # 730 x (4 x 0.04 + 8 x 0.004) = 140.16, and 730 x (2 x 0.03 + 4 x 0.003) = 52.56.
    assert option([summary("fargate")]).fixed_usd_per_month == pytest.approx(140.16 + 14.6)
    small = summary("fargate", settings={"cpus": 2, "task_memory_mb": 4096, "architecture": "arm64"})
    assert option([small]).fixed_usd_per_month == pytest.approx(52.56 + 14.6)


def test_runs_of_a_label_must_agree_on_its_size() -> None:
    with pytest.raises(NoCost, match=r"its runs differ in memory_mb \(2000, 3000\)"):
        option([summary(), summary(settings={"memory_mb": 2000})])


def test_the_price_depends_on_memory_billed_time_and_throughput() -> None:
    small = option([summary()]).usd_per_1000
    assert small < option([summary(settings={"memory_mb": 4000})]).usd_per_1000
    assert small < option([summary(billed_ms=900.0)]).usd_per_1000
    slow, fast = summary("ecs"), summary("ecs", throughput_per_s=2.0)
    assert option([fast]).usd_per_1000 < option([slow]).usd_per_1000
