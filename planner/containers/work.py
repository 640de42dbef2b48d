"""The compiled account of the replicas' work: how long each one is busy in each tick.

A replica is the one at the same position among the fleet's members, which become ready in order and leave from the end.
It does one inference after the other, so its work is one interval after the other; only the end of the last is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from planner.jit import compiled
from planner.types import Floats

BEGIN, SINCE, TOTAL = range(3)  # Positions in Work.clock.


class Work(NamedTuple):
    """What the replicas do, changed in place: arrays `(R,)` by replica, `(T,)` by tick of a second, seconds."""

    free: Floats  # (R,) it can begin the next request
    ends: Floats  # (R,) its last inference ends
    counted: Floats  # (R,) its inferences are counted until
    taken: Floats  # (R,) its requests are counted until; for the activator
    spent: Floats  # (R,) its inferences since the last tick that was closed
    busy: Floats  # (T,) inferences of all ready replicas
    inside: Floats  # (T,) requests, waiting or in work; for the activator
    clock: Floats  # begin of the first tick; begin of the time that is counted; inferences in it


def new_work(replicas: int, ticks: int, since_s: float) -> Work:
    """Replicas that are not ready, at the beginning of the simulation."""
    free, ends, counted, taken, spent = (np.zeros(replicas) for _ in range(5))
    busy, inside = (np.zeros(ticks + 1) for _ in range(2))
    return Work(free, ends, counted, taken, spent, busy, inside, np.array([0.0, since_s, 0.0]))


@compiled
def add(bins: Floats, begin: float, start: float, end: float) -> None:
    """Add an interval to the bins of a second each, which begin at `begin`."""
    first, last = int(start - begin), int(end - begin)
    if first == last:
        bins[first] += end - start
        return
    bins[first] += begin + first + 1 - start
    for at in range(first + 1, last):
        bins[at] += 1
    bins[last] += end - begin - last


@compiled
def count(
    replica: int, until: float, ends: Floats, counted: Floats, spent: Floats, busy: Floats, clock: Floats
) -> None:
    """Count the inferences of a replica until a time of the present ticks; the arrays are those of Work."""
    start, end = counted[replica], min(ends[replica], until)
    if end <= start:
        return
    add(busy, clock[BEGIN], start, end)
    spent[replica] += end - start
    clock[TOTAL] += max(0.0, end - max(start, clock[SINCE]))
    counted[replica] = end


@compiled
def count_all(ready: int, until: float, work: Work) -> None:
    """Count the inferences of all ready replicas until a time of the present ticks."""
    for replica in range(ready):
        count(replica, until, work.ends, work.counted, work.spent, work.busy, work.clock)
