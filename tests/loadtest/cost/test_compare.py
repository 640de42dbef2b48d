"""The comparison of costs: options, monthly costs, and break-even volumes."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import pytest

from loadtest.cost.compare import LARGEST, break_even, compare_costs, volumes, with_settings
from loadtest.cost.prices import Burstable, load_prices, price_warnings
from loadtest.cost.tariff import Instances, PayPerUse
from loadtest.results.summary import CostComparison
from tests.loadtest.cost.costing import ROUND, T3A, TODAY, offer, summary


def only(comparisons: list[CostComparison]) -> CostComparison:
    assert len(comparisons) == 1
    return comparisons[0]


def test_local_and_aws_and_models_are_never_mixed() -> None:
    runs = [
        summary(where="local", name="here", billed_ms=500.0),
        summary(where="aws", name="there", billed_ms=900.0),
        summary(where="local", name="tiny", model="yolov7-tiny"),
        summary("kubernetes", where="aws"),
        summary("kubernetes", where="aws", model="yolov7-d6"),
    ]
    found = compare_costs(runs, ROUND, TODAY)
    assert [(one.where, one.model, [option.runs for option in one.options]) for one in found] == [
        ("local", "yolov7-w6", [["here"]]),
        ("aws", "yolov7-w6", [["there"]]),
        ("local", "yolov7-tiny", [["tiny"]]),
    ]


def test_local_options_say_that_they_are_a_stand_in() -> None:
    for where, says in (("local", True), ("aws", False)):
        for platform in ("lambda", "ecs", "fargate"):
            option = only(compare_costs([summary(platform, where=where)], ROUND, TODAY)).options[0]
            assert ("as fast as this stand-in on this machine" in option.assumptions[0]) == says
            assert "2 cores" in option.assumptions[0] or not says


def test_runs_of_a_label_are_one_option_and_the_comparison_can_be_written_as_json() -> None:
    runs = [summary("ecs", name="a"), summary(name="b"), summary("ecs", name="c"), summary("fargate", name="d")]
    comparison = only(compare_costs(runs, load_prices(), TODAY))
    assert [(option.label, option.runs) for option in comparison.options] == [
        ("ecs", ["a", "c"]), ("lambda", ["b"]), ("fargate", ["d"]),
    ]  # fmt: skip
    assert [(one.cheaper_below, one.cheaper_above) for one in comparison.break_evens] == [
        ("lambda", "ecs"), ("lambda", "fargate"),
    ]  # fmt: skip
    assert comparison.warnings == price_warnings(load_prices(), TODAY)
    assert json.loads(json.dumps(asdict(comparison)))["model"] == "yolov7-w6"


def test_volumes_rise_by_a_constant_factor_to_the_largest() -> None:
    first, *_, last = factors = [after / before for before, after in pairwise(volumes())]
    assert factors == pytest.approx([first] * len(factors), rel=0.001)
    assert last > 1 and volumes()[-1] == LARGEST


@pytest.mark.parametrize("platform", ["lambda", "ecs", "fargate"])
def test_more_pictures_never_cost_less(platform: str) -> None:
    comparison = only(compare_costs([summary(platform)], ROUND, TODAY))
    costs = comparison.usd_per_month[platform]
    assert len(costs) == len(comparison.pictures_per_month)
    assert costs == sorted(costs) and costs[0] < costs[-1]


@pytest.mark.parametrize(
    ("platform", "changes", "reason"),
    [
        ("ecs", {"settings": {"instance_type": "m9z.large"}}, "instance type m9z.large is not in loadtest/cost"),
        ("ecs", {"settings": {"region": "mars-1"}}, "region mars-1 is not in loadtest/cost/prices.json, which has"),
        ("lambda", {"settings": {"region": "mars-1"}}, "region mars-1 is not in loadtest/cost/prices.json"),
        ("lambda", {"billed_ms": None, "answered": 0}, "none of its runs has an answer, so the billed time is unknown"),
        ("ecs", {"errors": {"overloaded": 100}}, "none of its runs and phases has less than 1% of errors"),
    ],
)  # fmt: skip
def test_a_platform_without_a_price_is_left_out_with_a_warning(
    platform: str, changes: dict[str, Any], reason: str
) -> None:
    odd = summary(platform, "Odd", **changes)
    comparison = only(compare_costs([odd, summary("lambda", "Lambda 3000 MB")], ROUND, TODAY))
    assert [option.label for option in comparison.options] == ["Lambda 3000 MB"]
    assert list(comparison.usd_per_month) == ["Lambda 3000 MB"]
    assert len(comparison.warnings) == 1
    assert comparison.warnings[0].startswith(f"Odd is left out of the costs: {reason}")


def steps(capacity: int, *, balancer: float = 0.0, per_picture: float = 0.0) -> Instances:
    return Instances(100, balancer, per_picture, capacity)


@pytest.mark.parametrize(
    ("use", "instances", "volume"),
    [
        # 0.01 per picture and 100 per month are equal at 10,000 pictures; from 10,001 on, instances cost less.
        (PayPerUse(0.01, 0), steps(20_000), 10_001),
        # With 20 per month and 0.002 per picture for the load balancer: 0.008 x 15,000 = 120.
        (PayPerUse(0.01, 0), steps(20_000, balancer=20, per_picture=0.002), 15_001),
        # One instance costs 120 and is full at 11,000 pictures, which cost 110 as requests. Two cost 220 and are full
        # at 22,000 pictures, which also cost 220.
        # Three cost 320 and are full at 33,000 pictures, so from 32,001 on they cost less.
        (PayPerUse(0.01, 0), steps(11_000, balancer=20), 32_001),
        # Provisioned concurrency alone costs more than the instance.
        (PayPerUse(0.01, 200), steps(20_000), 1),
        # Never: an instance is full at 9,000 pictures, which cost 90 as requests.
        (PayPerUse(0.01, 0), steps(9_000), None),
        # Never: the load balancer costs as much per picture as the function.
        (PayPerUse(0.01, 0), steps(20_000, per_picture=0.01), None),
    ],
)
def test_break_even_is_the_first_volume_at_which_instances_cost_less(
    use: PayPerUse, instances: Instances, volume: int | None
) -> None:
    found = break_even("use", use, "instances", instances)
    assert (found.cheaper_below, found.cheaper_above, found.pictures_per_month) == ("use", "instances", volume)
    assert found.usd_per_month == (None if volume is None else instances.usd(volume))
    if volume and volume > 1:
        assert instances.usd(volume - 1) >= use.usd(volume - 1) and instances.usd(volume) < use.usd(volume)


def test_the_curves_may_cross_again_with_the_next_instance() -> None:
    use, instances = PayPerUse(0.01, 0), steps(12_000)
    assert break_even("use", use, "instances", instances).pictures_per_month == 10_001
    # 12,001 pictures cost 120.01 as requests, and 200 on two instances.
    assert instances.usd(12_000) < use.usd(12_000) and instances.usd(12_001) > use.usd(12_001)


@pytest.mark.parametrize("capacity", [997, 7_001, 60_000])
@pytest.mark.parametrize("per_picture", [0.0009, 0.0021, 0.0047])
@pytest.mark.parametrize("burst", [None, T3A.burst])
@pytest.mark.slow
def test_no_smaller_volume_breaks_even(capacity: int, per_picture: float, burst: Burstable | None) -> None:
    instances = replace(T3A, capacity=capacity, burst=burst, balancer_usd_per_picture=0.0001)
    use, limit = PayPerUse(per_picture, 0), 150_000
    expected = next((volume for volume in range(1, limit) if instances.usd(volume) < use.usd(volume)), None)
    found = break_even("use", use, "instances", instances).pictures_per_month
    assert found == expected or (expected is None and (found is None or found >= limit))


def test_runs_lead_to_their_break_even() -> None:
    c6a = {"instance_type": "c6a.xlarge"}
    runs = [summary(), summary("ecs", settings=c6a)]
    (found,) = only(compare_costs(runs, ROUND, TODAY)).break_evens
    # Never: a request costs 24.6e-6, a picture on a busy instance 146 / 1,839,600 = 79e-6.
    assert found.pictures_per_month is None and found.usd_per_month is None
    fast = [
        summary(settings={"memory_mb": 6000}),
        summary("ecs", throughput_per_s=2.0, settings={"instance_type": "c6a.xlarge"}),
    ]
    (found,) = only(compare_costs(fast, ROUND, TODAY)).break_evens
    # 160.6 per month, divided by 48.075e-6 per request minus 0.04 LCU x 730 h x 0.01 / 2,628,000 = 0.1111e-6 per
    # picture. The first instance can do 3,679,200 pictures.
    assert found.pictures_per_month == 3_348_353
    use, instances = offer(fast[:1]).curve, offer(fast[1:]).curve
    volume = found.pictures_per_month
    assert volume is not None and volume < LARGEST
    assert instances.usd(volume - 1) >= use.usd(volume - 1) and instances.usd(volume) < use.usd(volume)
    assert found.usd_per_month == instances.usd(volume)


def test_runs_can_be_priced_with_other_settings() -> None:
    run = summary("ecs", settings={"instance_type": "t3a.xlarge", "instances": 1})
    (other,) = with_settings([run], {"instance_type": "c6a.xlarge"})
    assert other.run.settings.given == {"instance_type": "c6a.xlarge", "instances": 1}
    assert run.run.settings.given["instance_type"] == "t3a.xlarge"
    (before,), (after,) = (compare_costs([one], ROUND, TODAY) for one in (run, other))
    # 730 hours at 0.20 instead of 0.10, without surplus credits.
    assert after.options[0].fixed_usd_per_month - before.options[0].fixed_usd_per_month == pytest.approx(73)
