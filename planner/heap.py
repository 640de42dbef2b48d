"""A binary heap of times in two arrays, for compiled loops."""

from __future__ import annotations

from planner.jit import compiled
from planner.types import Floats, Integers


@compiled
def push(times: Floats, items: Integers, size: int, time: float, item: int) -> None:
    """Add an item to a heap of `size` items; the arrays must have room for one more."""
    at = size
    while at > 0:
        parent = (at - 1) >> 1
        if times[parent] <= time:
            break
        times[at], items[at] = times[parent], items[parent]
        at = parent
    times[at], items[at] = time, item


@compiled
def pop(times: Floats, items: Integers, size: int) -> None:
    """Remove the item with the earliest time, which is at index 0, from a heap of `size` items."""
    last = size - 1
    time, item = times[last], items[last]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= last:
            break
        if child + 1 < last and times[child + 1] < times[child]:
            child += 1
        if times[child] >= time:
            break
        times[at], items[at] = times[child], items[child]
        at = child
    times[at], items[at] = time, item
