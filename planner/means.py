"""Means over time of how many things there are at once."""

from __future__ import annotations

import math

import numpy as np

from planner.types import Floats


class TimeMean:
    """The mean number of intervals that hold at once, over the time from `since_s` on; added chunk by chunk.

    Only intervals that end after the latest `now_s` are kept, since the end of the time is known only at last.
    """

    def __init__(self, since_s: float) -> None:
        self._since_s = since_s
        self._total_s = 0.0
        self._open = (np.empty(0), np.empty(0))

    def add(self, starts_s: Floats, ends_s: Floats, *, now_s: float) -> None:
        """Add intervals, arrays `(N,)`, seconds; the time will not end before `now_s`."""
        starts = np.concatenate((self._open[0], starts_s))
        ends = np.concatenate((self._open[1], ends_s))
        later = ends > now_s
        self._total_s += self._length(starts[~later], ends[~later])
        self._open = (starts[later], ends[later])

    def until(self, until_s: float) -> float:
        """The mean until this time; NaN if it is not after `since_s`."""
        length = until_s - self._since_s
        if length <= 0:
            return math.nan
        starts, ends = self._open
        within = starts < until_s
        return (self._total_s + self._length(starts[within], np.minimum(ends[within], until_s))) / length

    def _length(self, starts: Floats, ends: Floats) -> float:
        return float(np.maximum(ends - np.maximum(starts, self._since_s), 0).sum())
