"""CloudWatch's part: means of periods, their delay, and alarms."""

from __future__ import annotations

from planner.scaling.alarms import Alarm, Points, ceiling, utilization
from planner.scaling.fleet import Fleet
from planner.scaling.rules import Replica


def test_a_point_is_the_mean_of_its_period_and_known_after_the_delay() -> None:
    points = Points(10, 15, 10)
    known = {now: points.add(now, [float(now)]) for now in range(1, 46)}
    assert {now: values for now, values in known.items() if values} == {25: [5.5], 35: [15.5], 45: [25.5]}


def test_a_period_without_values_has_no_point() -> None:
    points = Points(10, 0, 10)
    assert [points.add(10, []), points.add(20, [1.0]), points.add(30, [])] == [[], [1.0], []]


def test_the_mean_of_equal_values_is_that_value() -> None:
    assert sum([0.7] * 60) / 60 != 0.7
    assert Points(60, 0, 60).add(60, [0.7] * 60) == [0.7]


def test_what_floating_point_adds_is_not_rounded_up() -> None:
    assert [ceiling(1.0000000000000002), ceiling(1.001), ceiling(0.0)] == [1, 2, 0]


def test_an_alarm_is_raised_when_all_its_points_are_beyond_the_threshold() -> None:
    high, low = Alarm(3, 70, above=True), Alarm(2, 63, above=False)
    assert [high.add(value) for value in (71, 72, 70, 71, 72, 73, 74)] == [False] * 5 + [True] * 2
    assert [low.add(value) for value in (62, 63, 62, 61)] == [False] * 3 + [True]


def test_utilization_counts_running_replicas_that_are_not_ready_as_idle() -> None:
    replica = Replica(cores=2, request_cores=2, idle_cores=0.2, pending_s=10, startup_s=30)
    fleet = Fleet(replica, 1)
    fleet.scale(2, 100)
    assert [utilization(fleet, replica, [1.8], at_s) for at_s in (105, 115)] == [[90.0], [50.0]]
    assert utilization(Fleet(replica, 0), replica, [0.0], 1) == []
