"""Replicas over time, in steps."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np

from planner.types import Floats, Integers


@dataclass(frozen=True)
class Timeline:
    """Replicas wanted and ready, and instances, at the end of each step, and the requests that arrived in it: `(M,)`.

    Instances are replicas where the platform has none. Only whole steps are listed.
    """

    step_s: int
    wanted: Integers
    ready: Integers
    instances: Integers
    arrivals: Integers


class Recorder:
    """Writes a timeline; 20 bytes a step."""

    def __init__(self, step_s: int) -> None:
        self._step_s = step_s
        self._columns = tuple(array("i") for _ in range(3))
        self._arrivals = np.zeros(1024, np.int64)

    @property
    def next_s(self) -> int:
        """The end of the next step."""
        return (len(self._columns[0]) + 1) * self._step_s

    def add(self, until_s: int, wanted: int, ready: int, instances: int) -> None:
        """Record these numbers for all steps that end by a time."""
        while self.next_s <= until_s:
            for column, value in zip(self._columns, (wanted, ready, instances), strict=True):
                column.append(value)

    def add_arrivals(self, arrivals: Floats) -> None:
        """Count requests in the steps of their arrival, which do not decrease."""
        if not arrivals.size:
            return
        first, stop = int(arrivals[0] // self._step_s), int(arrivals[-1] // self._step_s) + 1
        if stop > self._arrivals.size:
            more = np.zeros(max(stop, 2 * self._arrivals.size) - self._arrivals.size, np.int64)
            self._arrivals = np.concatenate((self._arrivals, more))
        ends = np.searchsorted(arrivals, np.arange(first + 1, stop) * self._step_s)
        self._arrivals[first:stop] += np.diff(ends, prepend=0, append=arrivals.size)

    def timeline(self, until_s: float) -> Timeline:
        """The whole steps that end by a time."""
        size = min(len(self._columns[0]), int(until_s // self._step_s))
        wanted, ready, instances = (np.array(column[:size], np.int64) for column in self._columns)
        arrivals = np.zeros(size, np.int64)
        known = self._arrivals[:size]
        arrivals[: known.size] = known
        return Timeline(self._step_s, wanted, ready, instances, arrivals)
