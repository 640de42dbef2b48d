"""The compiled loop of Knative's activator: one queue for all replicas, each of which takes one request at a time.

What happens to a request that waits is known only when a replica takes it, perhaps in a later chunk.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from planner.containers.balanced import REFUSED, SERVED, TIMED_OUT, Limits
from planner.containers.work import BEGIN, Work, add, count, count_all
from planner.jit import compiled
from planner.types import Bytes, Floats, Integers

HEAD, SIZE = range(2)  # Positions in Line.state.


class Line(NamedTuple):
    """The requests that wait, a ring, changed in place; seconds."""

    arrival: Floats
    service: Floats
    counted: Floats  # Its waiting is counted until.
    result: Integers  # Its place in the results of the chunk.
    state: Integers


def new_line(queue: int) -> Line:
    """An empty queue."""
    arrival, service, counted = (np.zeros(queue) for _ in range(3))
    return Line(arrival, service, counted, np.zeros(queue, np.int64), np.zeros(2, np.int64))


@compiled
def serve(
    arrivals: Floats,
    services: Floats,
    first: int,
    stop: int,
    drawn: bool,
    ready: int,
    offset: int,
    limits: Limits,
    work: Work,
    line: Line,
    luck: Floats,
    latency: Floats,
    wait: Floats,
    outcome: Bytes,
) -> None:
    """Take the requests from `first` to `stop` of a chunk; results of request i are at `offset` + i."""
    for i in range(first, stop):
        now = arrivals[i]
        if line.state[SIZE]:
            settle(now, ready, limits, work, line, latency, wait, outcome)
        size = line.state[SIZE]
        if size >= limits.queue:
            outcome[offset + i] = REFUSED
            continue
        service = services[int(luck[i, 1] * len(services)) if drawn else i]
        replica = _first_free(ready, work.free)
        if size == 0 and replica >= 0 and work.free[replica] <= now:
            _start(replica, now, now, service, offset + i, limits, work, latency, wait, outcome)
            continue
        at = (line.state[HEAD] + size) % len(line.arrival)
        line.arrival[at] = line.counted[at] = now
        line.service[at], line.result[at] = service, offset + i
        line.state[SIZE] += 1


@compiled
def settle(
    now: float, ready: int, limits: Limits, work: Work, line: Line, latency: Floats, wait: Floats, outcome: Bytes
) -> None:
    """Let the replicas that are free by now take what waits, and drop what has waited too long."""
    state = line.state
    while state[SIZE]:
        at = state[HEAD]
        replica = _first_free(ready, work.free)
        start = max(line.arrival[at], work.free[replica]) if replica >= 0 else np.inf
        expires = line.arrival[at] + limits.timeout_s
        if min(start, expires) > now:
            return
        add(work.inside, work.clock[BEGIN], line.counted[at], min(start, expires))
        if start >= expires:
            outcome[line.result[at]] = TIMED_OUT
        else:
            _start(replica, line.arrival[at], start, line.service[at], line.result[at], limits, work, latency, wait,
                   outcome)  # fmt: skip
        state[HEAD] = (at + 1) % len(line.arrival)
        state[SIZE] -= 1


@compiled
def close(
    until: float, ready: int, limits: Limits, work: Work, line: Line, latency: Floats, wait: Floats, outcome: Bytes
) -> None:
    """Settle and count all that the replicas did and that waited, until a time of the present ticks."""
    settle(until, ready, limits, work, line, latency, wait, outcome)
    count_all(ready, until, work)
    for replica in range(ready):
        _count_taken(replica, until, work.free, work.taken, work.inside, work.clock)
    for waiting in range(line.state[SIZE]):
        at = (line.state[HEAD] + waiting) % len(line.arrival)
        add(work.inside, work.clock[BEGIN], line.counted[at], until)
        line.counted[at] = until


@compiled
def _first_free(ready: int, free: Floats) -> int:
    """The replica that is free first; -1 without any."""
    first = -1
    for replica in range(ready):
        if first < 0 or free[replica] < free[first]:
            first = replica
    return first


@compiled
def _start(
    replica: int,
    arrival: float,
    start: float,
    service: float,
    index: int,
    limits: Limits,
    work: Work,
    latency: Floats,
    wait: Floats,
    outcome: Bytes,
) -> None:
    """Let a free replica take a request."""
    count(replica, start, work.ends, work.counted, work.spent, work.busy, work.clock)
    _count_taken(replica, start, work.free, work.taken, work.inside, work.clock)
    work.counted[replica] = work.taken[replica] = start
    work.ends[replica] = start + service
    work.free[replica] = ends = start + service + limits.overhead_s
    wait[index] = start - arrival
    late = ends - arrival > limits.timeout_s or ends - start > limits.deadline_s
    outcome[index] = TIMED_OUT if late else SERVED
    if not late:
        latency[index] = ends - arrival


@compiled
def _count_taken(replica: int, until: float, free: Floats, taken: Floats, inside: Floats, clock: Floats) -> None:
    """Count the request at a replica until a time of the present ticks; the arrays are those of Work."""
    start, end = taken[replica], min(free[replica], until)
    if end > start:
        add(inside, clock[BEGIN], start, end)
        taken[replica] = end
