"""The Knative autoscaler, against timelines worked out by hand: one request at a time and core."""

from __future__ import annotations

from planner.scaling.books import Book
from planner.scaling.simulate import simulate
from tests.planner.scaling.test_tracking import changes, steps


def book(**rules: object) -> Book:
    return Book.model_validate(
        {
            "title": "by hand",
            "replica": {"cores": 1, "request_cores": 1, "pending_s": 10, "startup_s": 10},
            "scaler": {
                "kind": "knative", "min_replicas": 0, "max_replicas": 20, "cores_per_request": 1,
                "target_concurrency": 1, "utilization": 0.5, **rules,
            },
            "sources": {"replica": "by hand", "scaler": "by hand"},
        }
    )  # fmt: skip


def test_the_first_request_starts_a_replica_at_once_and_the_last_goes_after_window_and_grace() -> None:
    timeline = simulate(steps((101, 0.0), (60, 0.5), (200, 0.0)), book())
    # The request comes in the second that ends at 102. The last second with one ends at 161: at the beat of 222 the
    # window of 60 s has none, and the replica stays for 30 s of grace.
    assert changes(timeline.wanted) == [(102, 1), (252, 0)]
    assert changes(timeline.ready) == [(112, 1), (252, 0)]


def test_a_request_within_the_grace_keeps_the_replica() -> None:
    timeline = simulate(steps((101, 0.0), (60, 0.5), (75, 0.0), (10, 0.2), (70, 0.0)), book())
    assert changes(timeline.wanted) == [(102, 1)]


def test_a_burst_is_met_by_the_panic_window_and_replicas_do_not_fall_while_it_is_recent() -> None:
    timeline = simulate(steps((120, 0.5), (12, 4.0), (200, 0.5)), book(min_replicas=1))
    # Panic windows of 6 s end at 122, 124 and 126: means of 1.67, 2.83 and 4 ask for 4, 6 and 8 replicas, which is at
    # least twice the one that is ready. The last beat in panic is 130, before the first of them are ready at 132.
    assert changes(timeline.wanted)[:3] == [(122, 4), (124, 6), (126, 8)]
    falls = [second for (second, count) in changes(timeline.wanted)[3:]]
    assert min(falls) > 126 + 60
    assert timeline.wanted[-1] == 1


def test_replicas_at_most_halve_at_each_decision() -> None:
    timeline = simulate(steps((10, 0.1), (200, 0.1)), book(min_replicas=1), replicas=16)
    assert changes(timeline.wanted)[:4] == [(2, 8), (4, 4), (6, 2), (8, 1)]
