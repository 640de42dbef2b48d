"""Target tracking, against timelines worked out by hand: demand in cores, one task uses at most one."""

from __future__ import annotations

import numpy as np
import pytest

from planner.scaling.books import Book
from planner.scaling.simulate import simulate

# Ready a minute after they are wanted, and points known 30 s after their period.
RULES = {
    "title": "by hand",
    "replica": {"cores": 1, "request_cores": 1, "pending_s": 60, "startup_s": 60},
    "scaler": {
        "kind": "target-tracking", "min_replicas": 1, "max_replicas": 10, "target_percent": 50, "delay_s": 30,
        "out_cooldown_s": 120, "in_cooldown_s": 60,
    },
    "sources": {"replica": "by hand", "scaler": "by hand"},
}  # fmt: skip


def book(**changes: object) -> Book:
    return Book.model_validate({**RULES, "scaler": {**RULES["scaler"], **changes}})  # type: ignore[dict-item]


def changes(replicas: np.ndarray) -> list[tuple[int, int]]:
    return [(int(second) + 1, int(replicas[second])) for second in np.flatnonzero(np.diff(replicas)) + 1]


def steps(*parts: tuple[int, float]) -> np.ndarray:
    """Demand of consecutive parts, each a number of seconds and the cores."""
    return np.concatenate([np.full(length, cores) for length, cores in parts])


def test_three_points_above_the_target_scale_out_to_replicas_times_use_over_target() -> None:
    timeline = simulate(steps((300, 0.2), (900, 0.8)), book())
    # Points of 80% end at 360, 420 and 480; the third is known at 510: 1 x 80 / 50 is 2 tasks. They have 40% each.
    assert changes(timeline.wanted) == [(510, 2)]
    assert changes(timeline.ready) == [(570, 2)]


def test_a_part_of_a_minute_above_the_target_counts_by_the_mean_of_the_minute() -> None:
    # From 330 on: the minute that ends at 360 has a mean of 50%, which is not above the target.
    assert changes(simulate(steps((330, 0.2), (900, 0.8)), book()).wanted) == [(570, 2)]
    assert changes(simulate(steps((329, 0.2), (900, 0.8)), book()).wanted) == [(510, 2)]


def test_two_points_are_not_enough() -> None:
    assert changes(simulate(steps((300, 0.2), (120, 0.8), (300, 0.2)), book()).wanted) == []


def test_while_new_tasks_start_the_full_ones_ask_again_after_each_cooldown() -> None:
    timeline = simulate(steps((300, 0.2), (900, 4.0)), book())
    # The first full task asks for 2 at 510. The second runs at 570, and two minutes later both ask for 4, and so on.
    # The eight tasks that run from 930 on have 50% each.
    assert changes(timeline.wanted) == [(510, 2), (690, 4), (870, 8)]


def test_a_cooldown_shorter_than_the_metric_is_late_adds_too_many() -> None:
    timeline = simulate(steps((300, 0.2), (900, 0.8)), book(out_cooldown_s=0))
    # At 570 the second task runs, and the point of the minute until 540 still has 80%: 2 x 80 / 50 is 4.
    # At 630 the point of the minute until 600 has 29 seconds of 80% and 31 of 40%: 59% of four ask for 5.
    assert changes(timeline.wanted)[:3] == [(510, 2), (570, 4), (630, 5)]


def test_in_a_cooldown_only_more_than_the_last_scale_out_added_is_added() -> None:
    rules = book(out_points=1, out_cooldown_s=600)
    # 390: 60% ask for 2. At 450 90% of the first task's demand would be 2 again; at 510 100% is 2 as well.
    assert changes(simulate(steps((300, 0.2), (60, 0.6), (60, 0.9), (180, 4.0)), rules).wanted) == [(390, 2)]
    # Without a cooldown each of them adds to what is there: 2 x 90 / 50 is 4, and 4 x 100 / 50 is 8.
    rules = book(out_points=1, out_cooldown_s=0)
    assert changes(simulate(steps((300, 0.2), (60, 0.6), (60, 0.9), (60, 4.0)), rules).wanted)[:2] == [
        (390, 2),
        (450, 4),
    ]


def test_fifteen_points_below_nine_tenths_of_the_target_scale_in_at_once() -> None:
    timeline = simulate(steps((300, 2.0), (1200, 0.5)), book(), replicas=5)
    # 2 cores are 40% of 5 tasks, below 45%: the fifteenth point of all ends at 900 and is known at 930. By then a task
    # uses 10%: 5 x 10 / 50 is 1.
    assert changes(timeline.wanted) == [(930, 1)]


def test_a_second_scale_in_waits_for_the_cooldown() -> None:
    demand = steps((900, 1.5), (900, 0.5))
    # 30% of 5 tasks are below 45%: 3 at 930. Then they have 17%: 1, when the cooldown allows it.
    assert changes(simulate(demand, book(in_cooldown_s=60), replicas=5).wanted) == [(930, 3), (990, 1)]
    assert changes(simulate(demand, book(in_cooldown_s=180), replicas=5).wanted) == [(930, 3), (1110, 1)]


def test_between_nine_tenths_and_the_target_nothing_happens() -> None:
    assert changes(simulate(steps((2000, 2.3)), book(), replicas=5).wanted) == []


def test_one_point_in_between_starts_the_count_anew() -> None:
    timeline = simulate(steps((600, 2.0), (60, 2.4), (1200, 2.0)), book(), replicas=5)
    # The count of 15 begins again with the minute that ends at 720, and the last of them is known at 720 + 840 + 30.
    assert changes(timeline.wanted) == [(1590, 4)]


def test_high_resolution_points_scale_out_sooner_and_in_no_sooner() -> None:
    rules = book(period_s=20, first_period_s=20, delay_s=10)
    timeline = simulate(steps((300, 0.2), (600, 0.8), (1200, 0.2)), rules)
    # Points end at 320, 340 and 360. From 430 on two tasks have 40% each; 45% is the limit. The minute until 480 has a
    # mean of 46%, so the fifteenth below is the one until 1380. By then 2 x 10 / 50 is 1.
    assert changes(timeline.wanted) == [(370, 2), (1390, 1)]


@pytest.mark.parametrize("limit", [3, 5])
def test_the_most_replicas_are_kept(limit: int) -> None:
    assert simulate(steps((300, 0.2), (1200, 8.0)), book(max_replicas=limit)).wanted.max() == limit


def test_without_running_tasks_there_are_no_points_and_nothing_happens() -> None:
    assert changes(simulate(steps((1200, 2.0)), book(min_replicas=0), replicas=0).wanted) == []
