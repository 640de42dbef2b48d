"""Step scaling, against timelines worked out by hand: demand in cores, one task uses at most one."""

from __future__ import annotations

import numpy as np

from planner.scaling.books import Book, load_book
from planner.scaling.simulate import simulate
from tests.planner.scaling.test_tracking import changes, steps

BOOK = Book.model_validate(
    {
        "title": "by hand",
        "replica": {"cores": 1, "request_cores": 1, "pending_s": 20, "startup_s": 20},
        "scaler": {
            "kind": "step",
            "min_replicas": 1,
            "max_replicas": 4,
            "delay_s": 0,
            "steps": [
                {"when": "above", "percent": 70, "points": 1, "change": 1, "cooldown_s": 120},
                {"when": "below", "percent": 1, "points": 1, "exactly": 1, "cooldown_s": 0},
            ],
        },
        "sources": {"replica": "by hand", "scaler": "by hand"},
    }
)


def test_a_step_adds_replicas_after_each_cooldown_and_one_idle_minute_removes_them_all() -> None:
    timeline = simulate(steps((60, 0.5), (480, 8.0), (30, 0.0), (600, 0.0)), BOOK)
    # The first full minute ends at 120. The second task runs at 140, and its cooldown ends at 260, before
    # the point of 300.
    # The minute from 540 to 600 is the first idle one.
    assert changes(timeline.wanted) == [(120, 2), (300, 3), (480, 4), (600, 1)]
    assert changes(timeline.ready) == [(140, 2), (320, 3), (500, 4), (600, 1)]


def test_a_minute_with_a_little_work_is_not_idle() -> None:
    busy = np.zeros(60)
    busy[0] = 1.0
    assert changes(simulate(np.tile(busy, 10), BOOK, replicas=1).wanted) == []
    # The same second of one core is 1.7% of a minute of one task, and 0.8% of one of two tasks.
    timeline = simulate(np.concatenate([np.full(60, 2.0), np.tile(busy, 9)]), BOOK, replicas=1)
    assert changes(timeline.wanted) == [(60, 2), (180, 1)]


def test_the_course_projects_rule_is_gone_a_minute_after_its_idle_minute_is_known() -> None:
    timeline = simulate(steps((600, 0.0)), load_book("ecs-idle"), replicas=3)
    # The idle minute ends at 60, and its point acts a minute later.
    assert changes(timeline.wanted) == [(120, 1)]
