"""The compiled loop of a load balancer: each request goes at once to one replica, which has its own queue.

A replica is first in, first out, so all that happens to a request is known when it arrives. Three rings per replica
hold times that do not decrease: when its requests are answered, which is all that the load balancer sees; when work
ends; and when those leave the queue that waited too long.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from planner.containers.work import Work, count
from planner.jit import compiled
from planner.types import Bytes, Floats, Integers

LEAST, RANDOM, ROUND_ROBIN, ACTIVATOR = range(4)
WAITING, SERVED, REFUSED, TIMED_OUT = range(4)  # Outcomes of a request.
ANSWERED, ENDED, DROPPED = range(3)


class Limits(NamedTuple):
    """The parameters of a service, as numbers."""

    balancer: int
    queue: int
    timeout_s: float
    deadline_s: float
    overhead_s: float


class Lines(NamedTuple):
    """The requests at each replica, changed in place."""

    times: Floats  # (3, R, queue) rings, seconds
    heads: Integers  # (3, R)
    sizes: Integers  # (3, R)
    turn: Integers  # (1,) of round robin


def new_lines(replicas: int, queue: int) -> Lines:
    """Empty queues."""
    heads, sizes = (np.zeros((3, replicas), np.int64) for _ in range(2))
    return Lines(np.zeros((3, replicas, queue)), heads, sizes, np.zeros(1, np.int64))


@compiled
def serve(
    arrivals: Floats,
    services: Floats,
    first: int,
    stop: int,
    drawn: bool,
    ready: int,
    limits: Limits,
    work: Work,
    lines: Lines,
    luck: Floats,
    latency: Floats,
    wait: Floats,
    outcome: Bytes,
) -> None:
    """Serve the requests from `first` to `stop` of a chunk on `ready` replicas; writes the last three arrays.

    `luck` has two random numbers per request, for its replica and, where `drawn`, for its service time.
    """
    answer_s = min(limits.timeout_s, limits.deadline_s)
    watched = limits.balancer == LEAST
    # Functions take single arrays: a tuple of many arrays takes longer to hand over than the function runs.
    answered, ended, dropped = lines.times[ANSWERED], lines.times[ENDED], lines.times[DROPPED]
    answered_heads, ended_heads, dropped_heads = lines.heads[ANSWERED], lines.heads[ENDED], lines.heads[DROPPED]
    outstanding, working, dropping = lines.sizes[ANSWERED], lines.sizes[ENDED], lines.sizes[DROPPED]
    free, counted, spent, busy, clock = work.ends, work.counted, work.spent, work.busy, work.clock
    turn = lines.turn
    for i in range(first, stop):
        now = arrivals[i]
        replica = ready - 1
        if watched:
            for one in range(ready):
                _expire(answered, answered_heads, outstanding, one, now)
        if ready > 1:
            replica = _choose(limits.balancer, ready, outstanding, turn, luck[i, 0])
        if replica >= 0:
            _expire(ended, ended_heads, working, replica, now)
            _expire(dropped, dropped_heads, dropping, replica, now)
        if replica < 0 or working[replica] + dropping[replica] >= limits.queue:
            outcome[i] = REFUSED
            continue
        if free[replica] - now >= limits.deadline_s:
            outcome[i] = TIMED_OUT
            _push(dropped, dropped_heads, dropping, replica, now + limits.deadline_s)
            if watched:
                _push(answered, answered_heads, outstanding, replica, now + answer_s)
            continue
        wait[i] = max(0.0, free[replica] - now)
        if free[replica] <= now:
            count(replica, now, free, counted, spent, busy, clock)
            counted[replica] = free[replica] = now
        free[replica] += services[int(luck[i, 1] * len(services)) if drawn else i]
        ends = free[replica] + limits.overhead_s
        late = ends - now > answer_s
        outcome[i] = TIMED_OUT if late else SERVED
        if not late:
            latency[i] = ends - now
        _push(ended, ended_heads, working, replica, ends)
        if watched:
            _push(answered, answered_heads, outstanding, replica, min(ends, now + answer_s))


@compiled
def _choose(balancer: int, ready: int, sizes: Integers, turn: Integers, luck: float) -> int:
    """The replica that a request goes to, of those with `sizes` requests that are not answered yet."""
    if balancer == RANDOM:
        return int(luck * ready)
    if balancer == ROUND_ROBIN:
        turn[0] += 1
        return int((turn[0] - 1) % ready)
    least, ties = sizes[0], 0
    for replica in range(ready):
        if sizes[replica] < least:
            least, ties = sizes[replica], 0
        ties += sizes[replica] == least
    left, chosen = int(luck * ties), 0
    while sizes[chosen] != least or left:
        left -= sizes[chosen] == least
        chosen += 1
    return chosen


@compiled
def _expire(times: Floats, heads: Integers, sizes: Integers, replica: int, now: float) -> None:
    """Remove the times of a replica's ring that have come."""
    head, size, places = heads[replica], sizes[replica], times.shape[1]
    if size == 0 or times[replica, head] > now:
        return
    while size and times[replica, head] <= now:
        head = head + 1 if head + 1 < places else 0
        size -= 1
    heads[replica], sizes[replica] = head, size


@compiled
def _push(times: Floats, heads: Integers, sizes: Integers, replica: int, time: float) -> None:
    """Add a time to a replica's ring, which has room."""
    at, places = heads[replica] + sizes[replica], times.shape[1]
    times[replica, at if at < places else at - places] = time
    sizes[replica] += 1
