"""The charts of a plan: merged slices, the Pareto front, curves and the heat map."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from loadtest.report.vega import Chart, Looks
from planner.page.contents import best_of_platforms, curves, first_and_rest, platforms
from planner.page.pareto import cost_against_p95, front
from planner.page.timeline import MOST_MOMENTS, moments, timeline
from planner.page.volume import cost_over_volume, heat_map
from planner.plan.types import CostCurve, Plan, Slice
from tests.planner.page.made_up import DAY_S, TRAFFIC, estimate, large, outcomes, plan


def drawn(about: Plan) -> dict[str, Chart]:
    """All charts of a plan by title."""
    looks = Looks(platforms(about))
    charts = [*timeline(about, looks), cost_over_volume(about, looks), cost_against_p95(about, looks)]
    return {chart.title: chart for chart in charts if chart}


def test_a_whole_plan_has_every_chart() -> None:
    assert list(drawn(plan())) == [
        "Requests", "Instances", "Latency", "Cold starts and errors", "Monthly cost by volume",
        "Cost and p95 of all configurations",
    ]  # fmt: skip


def test_every_column_of_a_table_is_in_every_row_and_every_chart_is_described() -> None:
    for chart in drawn(plan()).values():
        assert all(name in row for row in chart.rows for name, _ in chart.columns)
        assert chart.description.startswith(chart.title)


def test_the_time_charts_have_the_best_of_each_platform_and_one_time_axis() -> None:
    charts = list(drawn(plan()).values())[:4]
    assert [one.label for one in best_of_platforms(plan())] == [
        "Lambda 1769 MB", "Fargate 2 vCPU, 2 tasks", "ECS t3a.xlarge, 2 tasks", "Kubernetes 2 cores, 3 pods"
    ]  # fmt: skip
    for chart in charts:
        axes = [layer["encoding"]["x"] for layer in chart.spec["layer"] if "x" in layer["encoding"]]
        assert {tuple(axis["scale"]["domain"]) for axis in axes} == {(0, 24)}
        assert axes[0]["axis"]["title"] == "hours since the start"
    assert {row["label"] for row in charts[1].rows} == {"Lambda", "Fargate", "ECS", "Kubernetes"}


@pytest.mark.parametrize(
    ("length_s", "unit"), [(60, "seconds"), (3600, "minutes"), (DAY_S, "hours"), (7 * DAY_S, "days")]
)
def test_the_unit_of_time_fits_the_traffic(length_s: float, unit: str) -> None:
    about = plan(traffic=replace(TRAFFIC, simulated_s=length_s))
    assert ("at", f"At, {unit}") in drawn(about)["Instances"].columns


def test_merged_slices_keep_sums_and_the_highest_percentiles() -> None:
    made = [Slice(10.0 * i, i, i % 2, 1, float(i), 0.1 * i, None if i % 3 else 0.2 * i) for i in range(601)]
    merged = moments(made, 6010.0)
    assert len(merged) == 121 <= MOST_MOMENTS
    assert [sum(getattr(one, name) for one in merged) for name in ("requests", "errors", "cold")] == [180_300, 300, 601]
    first, last = merged[0], merged[-1]
    assert (first.at_s, first.width_s, first.instances) == (0, 50, 2)
    assert (first.p50_s, round(first.p95_s or 0, 9)) == (0.4, 0.6)
    assert (last.at_s, last.width_s, last.requests) == (6000, 10, 600)


def test_percentiles_of_an_empty_slice_are_missing_and_not_zero() -> None:
    (only,) = moments([Slice(0.0, 0, 0, 0, 1.0, None, math.nan)], 10.0)
    assert (only.p50_s, only.p95_s) == (None, None)


def test_without_cold_starts_and_errors_there_is_no_chart_of_them() -> None:
    calm = [one for one in outcomes() if one.label == "ECS t3a.xlarge, 2 tasks"]
    assert "Cold starts and errors" not in drawn(plan(outcomes=calm))


def test_the_limit_of_p95_is_drawn_only_if_the_objective_has_one() -> None:
    for about, count in ((plan(), 1), (plan(objective="p99<=2s"), 0)):
        for title in ("Latency", "Cost and p95 of all configurations"):
            chart = drawn(about)[title]
            limits = [layer for layer in chart.spec["layer"] if layer.get("data") == {"values": [{"limit": 2.0}]}]
            assert len(limits) == sum(key.text == "limit of p95, 2 s" for key in chart.legend) == count


def test_no_configuration_is_cheaper_and_faster_than_one_on_the_pareto_front() -> None:
    made = outcomes()
    found = front(made)
    places = [(one.figures.usd.value, one.figures.p95_s.value) for one in found if one.figures.usd]
    assert all(left[0] < right[0] and left[1] > right[1] for left, right in pairwise(places))
    for one in made:
        assert one.figures.usd
        bill, p95 = one.figures.usd.value, one.figures.p95_s.value
        assert (one in found) != any(place[0] <= bill and place[1] <= p95 and place != (bill, p95) for place in places)


def test_configurations_without_a_price_or_responses_are_counted_and_not_drawn() -> None:
    first, second, *others = outcomes()
    unpriced = replace(first, figures=replace(first.figures, usd=None))
    dead = replace(second, figures=replace(second.figures, p95_s=estimate(math.nan)))
    chart = drawn(plan(outcomes=[unpriced, dead, *others]))["Cost and p95 of all configurations"]
    assert len(chart.rows) == len(others) and "2 without a price or without responses" in chart.caption


def test_a_configuration_that_costs_nothing_is_drawn() -> None:
    first = outcomes()[0]
    free = replace(first, figures=replace(first.figures, usd=estimate(0.0)))
    assert drawn(plan(outcomes=[free]))["Cost and p95 of all configurations"].rows[0]["usd"] == 0


def test_curves_are_the_best_of_each_platform_and_the_cheapest_of_each_volume() -> None:
    labels = ["Lambda 1769 MB", "Fargate 2 vCPU, 2 tasks", "Lambda 1024 MB", "Kubernetes 2 cores, 1 pods"]
    usd = {label: [5.0, 5.0] for label in labels} | {"Lambda 1024 MB": [9.0, 1.0], "unknown": [0.1, 0.1]}
    curve = CostCurve([1e3, 1e6], usd, usd, usd, {label: [True, True] for label in usd})
    assert curves(plan(cost_curve=curve)) == ["Lambda 1769 MB", "Fargate 2 vCPU, 2 tasks"]
    del usd["unknown"]
    assert curves(plan(cost_curve=curve)) == ["Lambda 1769 MB", "Fargate 2 vCPU, 2 tasks", "Lambda 1024 MB"]


def test_a_cross_marks_where_the_objective_is_not_met_and_unusable_bills_are_left_out() -> None:
    label = "Lambda 1769 MB"
    usd, low, high = ([1.0, 0.0, bill, math.nan] for bill in (5.0, 4.0, 7.0))
    meets = {label: [True, True, False, True]}
    curve = CostCurve([0, 1e3, 1e6, 1e7], {label: usd}, {label: low}, {label: high}, meets)
    chart = drawn(plan(cost_curve=curve))["Monthly cost by volume"]
    assert chart.rows == [{"label": label, "pictures": 1e6, "usd": 5.0, "low": 4.0, "high": 7.0, "meets": "misses"}]
    (band,) = [layer for layer in chart.spec["layer"] if layer["mark"] == {"type": "area", "opacity": 0.18}]
    assert (band["encoding"]["y"]["field"], band["encoding"]["y2"]["field"]) == ("low", "high")
    assert "misses the objective" in {key.text for key in chart.legend}


def test_the_heat_map_has_a_name_in_each_cell_and_the_colour_of_the_charts() -> None:
    looks = Looks(platforms(plan()))
    volumes, rows = heat_map(plan(), looks)
    assert volumes == ["10,000", "100,000", "300,000", "1 million", "3 million", "10 million", "100 million"]
    shape, cells = rows[0]
    assert (shape, [cell.platform for cell in cells]) == ("steady", ["Lambda"] * 4 + ["Fargate", "ECS", "ECS"])
    assert all(cell.colour == looks.colour(cell.platform) for _, row in rows for cell in row if cell.platform)
    assert [cell.platform for cell in rows[3][1][3:]] == [""] * 4
    assert (cells[0].usd, cells[0].between, cells[0].close) == ("$0.35", "$0.34 to $0.37", False)
    assert [cell.close for cell in cells] == [False] * 4 + [True, False, False]
    assert heat_map(plan(heat_map=None), looks) == ([], [])


def test_the_runner_up_is_always_among_the_first_configurations() -> None:
    about = large(400, 1)
    first, rest = first_and_rest(about)
    assert about.best in first and about.runner_up in first
    assert (len(first), len(first) + len(rest)) == (12, 400)
