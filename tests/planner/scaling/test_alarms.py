"""CloudWatch's part: means of periods, their delay, and alarms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from planner.scaling.alarms import (
    Points,
    add_values,
    ceiling,
    is_raised,
    new_alarms,
    new_points,
    take_point,
    total_utilization,
)


def add(points: Points, now_s: float, values: list[float]) -> list[float]:
    """The points that become known when these values of the ticks up to now are added."""
    add_values(points, float(now_s), sum(values), len(values))
    known = []
    while not math.isnan(point := take_point(points, float(now_s))):
        known.append(point)
    return known


def test_a_point_is_the_mean_of_its_period_and_known_after_the_delay() -> None:
    points = new_points(10, 15, 10)
    known = {now: add(points, now, [float(now)]) for now in range(1, 46)}
    assert {now: values for now, values in known.items() if values} == {25: [5.5], 35: [15.5], 45: [25.5]}


def test_a_period_without_values_has_no_point() -> None:
    points = new_points(10, 0, 10)
    assert [add(points, 10, []), add(points, 20, [1.0]), add(points, 30, [])] == [[], [1.0], []]


@pytest.mark.parametrize("delay_s", [0, 9.5, 10, 25, 40])
def test_all_points_that_are_not_known_yet_are_kept(delay_s: float) -> None:
    points = new_points(10, delay_s, 10)
    known = [value for now in range(1, 501) for value in add(points, now, [float((now - 1) // 10)])]
    assert known == list(range(int((500 - delay_s) // 10)))


def test_the_mean_of_equal_values_is_that_value() -> None:
    assert sum([0.7] * 60) / 60 != 0.7
    assert add(new_points(60, 0, 60), 60, [0.7] * 60) == [0.7]


def test_what_floating_point_adds_is_not_rounded_up() -> None:
    assert [ceiling(1.0000000000000002), ceiling(1.001), ceiling(0.0)] == [1, 2, 0]


def test_an_alarm_is_raised_when_all_its_points_are_beyond_the_threshold() -> None:
    alarms = new_alarms((3, 70, True), (2, 63, False))
    high = [is_raised(alarms, 0, float(value)) for value in (71, 72, 70, 71, 72, 73, 74)]
    assert high == [False] * 5 + [True] * 2
    assert [is_raised(alarms, 1, float(value)) for value in (62, 63, 62, 61)] == [False] * 3 + [True]


@pytest.mark.parametrize(("running", "ready", "percent"), [(1, 1, 90), (2, 1, 50), (2, 0, 10)])
def test_utilization_counts_running_replicas_that_are_not_ready_as_idle(
    running: int, ready: int, percent: float
) -> None:
    # One that is ready uses 1.8 of two cores, the other ones 0.2.
    assert total_utilization(np.array([1.8, 1.8]), running, ready, 0.2, 2.0) == 2 * percent
