"""The capacity provider, against timelines worked out by hand: one task an instance, which boots for 90 s."""

from __future__ import annotations

import numpy as np

from planner.scaling.books import Book
from planner.scaling.simulate import simulate
from tests.planner.scaling.test_tracking import RULES, changes, steps

INSTANCES = {"min_replicas": 1, "max_replicas": 10, "tasks_each": 1, "boot_s": 90, "warmup_s": 60}


def book(**rules: object) -> Book:
    given = {"instances": {**INSTANCES, **rules}, "sources": {"replica": "-", "scaler": "-", "instances": "-"}}
    return Book.model_validate({**RULES, **given})


def test_a_task_waits_for_its_instance_which_is_launched_at_the_next_point_and_boots() -> None:
    timeline = simulate(steps((300, 0.2), (900, 0.8)), book())
    # Wanted at 510; the metric's point at 540 is 200%; up at 630, and the task is ready a minute later.
    assert changes(timeline.wanted) == [(510, 2)]
    assert changes(timeline.instances) == [(540, 2)]
    assert changes(timeline.ready) == [(690, 2)]


def test_instances_are_removed_after_fifteen_points_without_need_and_only_when_empty() -> None:
    timeline = simulate(steps((300, 2.0), (2400, 0.5)), book(), replicas=5)
    # Tasks go at 930; the points of 960 to 1800 are below the target.
    assert changes(timeline.wanted) == [(930, 1)]
    assert changes(timeline.instances) == [(1800, 1)]


def test_while_an_instance_warms_up_none_is_removed() -> None:
    # The second task is wanted at 390 and its instance launched at 420; the task is gone at 870.
    rules = {"out_points": 1, "in_points": 1, "in_cooldown_s": 0}
    demand = steps((300, 0.3), (60, 0.8), (420, 0.6), (900, 0.1))
    for warmup_s, gone_s in ((60, 900), (600, 1020)):
        given = book(in_points=1, warmup_s=warmup_s)
        given = given.model_copy(update={"scaler": given.scaler.model_copy(update=rules)})
        timeline = simulate(demand, given)
        assert changes(timeline.wanted) == [(390, 2), (870, 1)]
        assert changes(timeline.instances) == [(420, 2), (gone_s, 1)]


def test_a_step_is_at_most_as_large_as_allowed() -> None:
    timeline = simulate(steps((300, 0.2), (1200, 4.0)), book(most_step=1))
    assert np.diff(timeline.instances).max() == 1
    assert (int(timeline.wanted[-1]), int(timeline.instances[-1])) == (8, 8)


def test_two_tasks_share_an_instance() -> None:
    timeline = simulate(steps((300, 0.2), (900, 0.8)), book(tasks_each=2))
    # There is room for the second task, which starts when it is wanted.
    assert (changes(timeline.ready), set(timeline.instances.tolist())) == ([(570, 2)], {1})


def test_tasks_beyond_the_most_instances_wait_for_ever() -> None:
    timeline = simulate(steps((300, 0.2), (1800, 8.0)), book(max_replicas=3))
    # The scale-out to 4 is never complete, so its cooldown does not end.
    assert (int(timeline.wanted.max()), int(timeline.ready.max()), int(timeline.instances.max())) == (4, 3, 3)


def test_a_step_is_at_least_as_large_as_asked() -> None:
    timeline = simulate(steps((300, 0.2), (900, 0.8)), book(least_step=3))
    assert changes(timeline.instances)[0] == (540, 4)


def test_a_target_below_the_whole_capacity_keeps_an_instance_in_reserve() -> None:
    timeline = simulate(steps((3600, 0.2)), book(target_percent=80))
    # One task needs one instance, which is 100%; 1 / 0.8 is two instances, and they stay.
    assert changes(timeline.instances) == [(60, 2)]
