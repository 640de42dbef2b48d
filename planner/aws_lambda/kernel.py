"""The compiled loop: one request after the other, one request per instance.

An instance has a slot. Idle slots are in a stack in the order in which they became idle, so the top was used last.
Each instance knows when it will be gone if nobody uses it; one that is gone is removed when a request reaches it.
There are never more slots than requests may run at once, because a new one is used only when the stack is empty.
The first slots are those of the provisioned instances, which never leave.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from planner import heap
from planner.jit import compiled
from planner.types import Booleans, Floats, Integers

IDLE, RUNNING, FREE, NEXT, RING, GONE, READY = range(7)  # Positions in State.counts.


class State(NamedTuple):
    """All that is carried from one chunk of requests to the next; every array is changed in place."""

    born: Floats  # of the instance in each slot, seconds
    ended: Floats  # its last response, seconds
    dies: Floats  # its largest age is reached, seconds
    gone: Floats  # it leaves if nobody uses it, seconds
    number: Integers  # of the instance
    idle: Integers  # stack of slots
    times: Floats  # heap of the ends of running requests, seconds
    running: Integers  # slots of the same heap
    free: Integers  # stack of slots without an instance
    counts: Integers
    starts: Floats  # the last new instances, a ring, seconds
    ready: Integers  # stack of slots of idle provisioned instances
    last: Floats  # the last response of the function, seconds


class Table(NamedTuple):
    """Instances that have left: arrays with room for all that can leave in one chunk."""

    number: Integers
    born: Floats
    ended: Floats
    gone: Floats


class Limits(NamedTuple):
    """The rules, as numbers."""

    idle_s: float
    function_idle_s: float
    halving_s: float
    recycled_s: float
    recycled_shape: float
    youngest_s: float
    oldest_s: float
    newest: bool
    provisioned: int
    concurrency: int
    burst_s: float


@compiled
def serve(
    arrivals: Floats,
    warm: Floats,
    cold: Floats,
    drawn: bool,
    limits: Limits,
    state: State,
    table: Table,
    random: np.random.Generator,
    latency: Floats,
    is_cold: Booleans,
    number: Integers,
) -> None:
    """Serve a chunk; writes the last three arrays: NaN and -1 for a throttled request.

    `warm` and `cold` hold a time per request, or samples to draw from where `drawn`.
    """
    counts = state.counts
    for i in range(len(arrivals)):
        now = arrivals[i]
        _finish(now, limits, state, random)
        _expire_function(now, limits, state, table)
        # Not in a function, which would be compiled to half the speed.
        if counts[READY]:
            counts[READY] -= 1
            slot = state.ready[counts[READY]]
        else:
            slot = _take_idle(now, limits, state, table)
        is_cold[i] = slot < 0
        if slot < 0:
            if counts[RUNNING] >= limits.concurrency or not _may_start(now, limits, state):
                latency[i], number[i], is_cold[i] = np.nan, -1, False
                continue
            slot = _create(now, limits, state, random)
        times = cold if is_cold[i] else warm
        latency[i] = times[int(random.random() * len(times)) if drawn else i]
        number[i] = state.number[slot]
        heap.push(state.times, state.running, counts[RUNNING], now + latency[i], slot)
        counts[RUNNING] += 1


@compiled
def drain(limits: Limits, state: State, table: Table, random: np.random.Generator) -> None:
    """End the simulation: all requests finish, and all instances go into the table, as if no request came again."""
    _finish(np.inf, limits, state, random)
    _expire_function(np.inf, limits, state, table)
    while state.counts[IDLE]:
        state.counts[IDLE] -= 1
        _leave(state.idle[state.counts[IDLE]], state, table)


@compiled
def _finish(now: float, limits: Limits, state: State, random: np.random.Generator) -> None:
    """Make the instances idle whose requests end by now."""
    counts = state.counts
    while counts[RUNNING] and state.times[0] <= now:
        slot, end = state.running[0], state.times[0]
        heap.pop(state.times, state.running, counts[RUNNING])
        counts[RUNNING] -= 1
        state.ended[slot] = state.last[0] = end
        if slot < limits.provisioned:
            state.ready[counts[READY]] = slot
            counts[READY] += 1
            continue
        gone = min(end + limits.idle_s, max(end, state.dies[slot]))
        if limits.halving_s < np.inf:
            # The number of periods until the first "leaves" of a fair coin.
            gone = min(gone, end + limits.halving_s * (1 + np.floor(-np.log2(1 - random.random()))))
        state.gone[slot] = gone
        state.idle[counts[IDLE]] = slot
        counts[IDLE] += 1


@compiled
def _expire_function(now: float, limits: Limits, state: State, table: Table) -> None:
    """Remove all instances if the function has had no request for too long."""
    counts = state.counts
    if counts[RUNNING] or not counts[IDLE]:
        return
    deadline = state.last[0] + limits.function_idle_s
    if deadline > now or deadline == np.inf:
        return
    while counts[IDLE]:
        counts[IDLE] -= 1
        slot = state.idle[counts[IDLE]]
        state.gone[slot] = min(state.gone[slot], deadline)
        _leave(slot, state, table)


@compiled
def _take_idle(now: float, limits: Limits, state: State, table: Table) -> int:
    """Remove the instance that the request takes from the idle ones, and those that are gone; -1 if there is none."""
    counts, idle = state.counts, state.idle
    while counts[IDLE]:
        at = counts[IDLE] - 1
        if limits.newest:
            for other in range(at):
                if state.born[idle[other]] > state.born[idle[at]]:
                    at = other
        slot = idle[at]
        for other in range(at, counts[IDLE] - 1):
            idle[other] = idle[other + 1]
        counts[IDLE] -= 1
        if state.gone[slot] > now:
            return int(slot)
        _leave(slot, state, table)
    return -1


@compiled
def _may_start(now: float, limits: Limits, state: State) -> bool:
    """Whether one more instance may start now; the ring holds the starts of as many as may start within burst_s."""
    at = state.counts[RING]
    if state.starts[at] + limits.burst_s > now:
        return False
    state.starts[at] = now
    state.counts[RING] = (at + 1) % len(state.starts)
    return True


@compiled
def _create(now: float, limits: Limits, state: State, random: np.random.Generator) -> int:
    """The slot of a new instance."""
    counts = state.counts
    counts[FREE] -= 1
    slot = state.free[counts[FREE]]
    life = np.inf
    if limits.oldest_s < np.inf:
        life = limits.youngest_s + (limits.oldest_s - limits.youngest_s) * random.random()
    if limits.recycled_s < np.inf:
        life = min(life, limits.recycled_s * (-np.log(1 - random.random())) ** (1 / limits.recycled_shape))
    state.born[slot], state.dies[slot] = now, now + life
    state.number[slot] = counts[NEXT]
    counts[NEXT] += 1
    return int(slot)


@compiled
def _leave(slot: int, state: State, table: Table) -> None:
    """Write an instance to the table and free its slot."""
    counts = state.counts
    at = counts[GONE]
    table.number[at], table.born[at] = state.number[slot], state.born[slot]
    table.ended[at], table.gone[at] = state.ended[slot], state.gone[slot]
    counts[GONE] += 1
    state.free[counts[FREE]] = slot
    counts[FREE] += 1
