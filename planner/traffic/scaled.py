"""Multiplying the number of arrivals of a trace."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from planner.types import Floats, Integers

AT_ONCE = 10_000_000  # arrivals


def scale_times(chunks: Iterator[Floats], scale: float, random: np.random.Generator) -> Iterator[Floats]:
    """Copies of each arrival at random times before the next one, so that bursts stay bursts; or fewer arrivals."""
    if scale == 1:
        yield from chunks
        return
    last_gap = 0.0
    for times, following in itertools.pairwise(itertools.chain(chunks, (np.empty(0),))):
        last_gap = float(times[-1] - times[-2]) if times.size > 1 else last_gap
        later = np.append(times[1:], following[0] if following.size else times[-1] + last_gap)
        whole = math.floor(scale)
        copies = whole + (random.random(times.size) < scale - whole)
        yield from _copies(times, later, copies, random)


def scale_count(value: float, random: np.random.Generator) -> int:
    """A whole number whose mean is the value."""
    return math.floor(value) + int(random.random() < value - math.floor(value))


def _copies(times: Floats, later: Floats, copies: Integers, random: np.random.Generator) -> Iterator[Floats]:
    """The first copy at the arrival's own time, others between it and the next; at most some ten million at once."""
    step = max(1, int(AT_ONCE / max(copies.max(), 1)))
    for start in range(0, times.size, step):
        part = slice(start, start + step)
        found = np.repeat(times[part], copies[part])
        gaps = np.repeat((later - times)[part], copies[part])
        first = np.diff(found, prepend=-1.0) > 0
        found += np.where(first, 0, gaps * random.random(found.size))
        if found.size:
            yield np.sort(found)
