"""The queue: exact against a plain simulation, in any chunks, and errors in its input."""

from __future__ import annotations

import math

import numpy as np
import pytest

from planner.errors import PlannerError
from planner.queueing import Queue
from planner.types import Floats


def plain_starts(arrivals: Floats, services: Floats, servers: int, waiting: int | None) -> list[float]:
    """The start of each request, by lists; NaN where it is refused."""
    free: list[float] = [0.0] * servers
    starts: list[float] = []
    for arrival, service in zip(arrivals.tolist(), services.tolist(), strict=True):
        start = max(arrival, min(free))
        if waiting is not None and start > arrival and sum(one > arrival for one in starts) >= waiting:
            starts.append(math.nan)
            continue
        free[free.index(min(free))] = start + service
        starts.append(start)
    return starts


@pytest.mark.parametrize("waiting", [None, 0, 1, 3])
@pytest.mark.parametrize("servers", [1, 3])
def test_queue_serves_first_in_first_out_and_refuses_beyond_its_limit(servers: int, waiting: int | None) -> None:
    random = np.random.default_rng(servers)
    arrivals, services = np.cumsum(random.exponential(1, 2000)), random.exponential(servers * 0.9, 2000)
    expected = plain_starts(arrivals, services, servers, waiting)
    served = Queue(servers, waiting=waiting).feed(arrivals, services)
    np.testing.assert_array_equal(served.start_s, expected)
    assert served.refused.any() == (waiting is not None)


def test_queue_gives_the_same_in_chunks_of_any_size() -> None:
    random = np.random.default_rng(1)
    arrivals, services = np.cumsum(random.exponential(1, 1000)), random.exponential(1.8, 1000)
    whole = Queue(2, waiting=4).feed(arrivals, services)
    queue = Queue(2, waiting=4)
    parts = [queue.feed(arrivals[a:b], services[a:b]).start_s for a, b in ((0, 0), (0, 1), (1, 700), (700, 1000))]
    np.testing.assert_array_equal(np.concatenate(parts), whole.start_s)


WRONG = [
    ([1.0, 0.5], [1.0, 1.0], "arrival 2 of this chunk is at 0.5 s, before 1 s: sort the times, from 0"),
    ([-1.0], [1.0], "arrival 1 of this chunk is at -1 s, before 0 s: sort the times, from 0"),
    ([1.0, math.nan], [1.0, 1.0], "arrival times: number 2 is not a finite number of seconds"),
    ([1.0], [0.0], "service times: 0 s is not a service time: it must be positive"),
    ([1.0], [math.inf], "service times: number 1 is not a finite number of seconds"),
    ([1.0, 2.0], [1.0], "2 arrivals need as many service times, not 1"),
    ([[1.0]], [1.0], "arrival times must be one list of seconds, not an array of shape (1, 1)"),
]


@pytest.mark.parametrize(("arrivals", "services", "message"), WRONG)
def test_queue_names_what_is_wrong(arrivals: list[float], services: list[float], message: str) -> None:
    with pytest.raises(PlannerError) as caught:
        Queue(1).feed(arrivals, services)
    assert str(caught.value) == message


def test_queue_refuses_arrivals_before_those_of_the_last_chunk() -> None:
    queue = Queue(1)
    queue.feed([5.0], [1.0])
    with pytest.raises(PlannerError, match="arrival 1 of this chunk is at 4 s, before 5 s"):
        queue.feed([4.0], [1.0])


@pytest.mark.parametrize(("servers", "waiting"), [(0, None), (1, -1), (1_000_001, None)])
def test_queue_has_a_bounded_size(servers: int, waiting: int | None) -> None:
    with pytest.raises(PlannerError, match="and must be from"):
        Queue(servers, waiting=waiting)
