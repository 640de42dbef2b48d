"""Books with short times, so that a timeline can be made by hand."""

from __future__ import annotations

from typing import Any

from planner.scaling.books import Book

REPLICA = {"cores": 2, "request_cores": 2, "pending_s": 10, "startup_s": 30}


def book(
    scaler: dict[str, Any], replica: dict[str, Any] | None = None, instances: dict[str, Any] | None = None
) -> Book:
    """A book of these rules."""
    sources = dict.fromkeys(("replica", "scaler", "instances"), "test")
    given: dict[str, Any] = {"title": "test", "replica": REPLICA, "scaler": scaler}
    return Book.model_validate({**given, "instances": instances, "sources": sources})


def fixed(replicas: int) -> Book:
    """A book with a fixed number of replicas."""
    return tracking(min_replicas=replicas, max_replicas=replicas)


def tracking(instances: dict[str, Any] | None = None, **rules: Any) -> Book:
    """Target tracking on minutes that act at their end: out after one, in after two."""
    given = {
        "kind": "target-tracking", "min_replicas": 1, "max_replicas": 4, "target_percent": 50, "delay_s": 0,
        "out_points": 1, "in_points": 2, "out_cooldown_s": 0, "in_cooldown_s": 0,
    }  # fmt: skip
    return book(given | rules, instances=instances)


def knative(**rules: Any) -> Book:
    """Knative with one request at a time, and scale to zero."""
    given = {"kind": "knative", "min_replicas": 0, "max_replicas": 5, "cores_per_request": 1, "target_concurrency": 1}
    return book(given | rules)
