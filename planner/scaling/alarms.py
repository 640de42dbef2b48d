"""CloudWatch's part of scaling: means of periods that arrive late, and alarms on the last of them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from planner.scaling.fleet import Fleet
from planner.scaling.rules import Replica

# So many digits of a mean count, so that a sum of floats which should be equal to a threshold is not above it.
DIGITS = 9


class Points:
    """Means of periods, each known `delay_s` after its period ends; a period without values has no point."""

    def __init__(self, period_s: float, delay_s: float, first_end_s: float) -> None:
        self._period_s = period_s
        self._delay_s = delay_s
        self._end_s = first_end_s
        self._sum = 0.0
        self._count = 0
        self._known: deque[tuple[float, float]] = deque()
        self._due_s = first_end_s

    @property
    def next_s(self) -> float:
        """The next end of a period, or the next second at which a point becomes known."""
        return self._due_s

    def add(self, now_s: float, values: Sequence[float]) -> list[float]:
        """Take the values of the ticks up to now, at most one period; returns the points that become known."""
        self._sum += sum(values)
        self._count += len(values)
        if now_s < self._due_s:
            return []
        if now_s >= self._end_s:
            if self._count:
                self._known.append((self._end_s + self._delay_s, round(self._sum / self._count, DIGITS)))
            self._sum, self._count = 0.0, 0
            while self._end_s <= now_s:
                self._end_s += self._period_s
        points = []
        while self._known and self._known[0][0] <= now_s:
            points.append(self._known.popleft()[1])
        self._due_s = min(self._end_s, self._known[0][0]) if self._known else self._end_s
        return points


class Alarm:
    """An alarm on the last points, all of which must be beyond a threshold."""

    def __init__(self, points: int, threshold: float, *, above: bool) -> None:
        self._last: deque[float] = deque(maxlen=points)
        self._threshold = threshold
        self._above = above

    def add(self, value: float) -> bool:
        """Take a point; whether the alarm is raised with it."""
        self._last.append(value)
        if len(self._last) < (self._last.maxlen or 0):
            return False
        return min(self._last) > self._threshold if self._above else max(self._last) < self._threshold


def ceiling(replicas: float) -> int:
    """Replicas rounded up; what floating point adds to a whole number does not count."""
    return math.ceil(round(replicas, DIGITS))


def utilization(fleet: Fleet, replica: Replica, use: Sequence[float], now_s: float) -> list[float]:
    """The CPU of all running replicas against what they reserve, percent a tick; empty without running replicas."""
    running, ready = fleet.running(now_s), fleet.ready(now_s)
    if not running:
        return []
    idle, reserved = replica.idle_cores * (running - ready), running * replica.request_cores
    return [100 * (cores * ready + idle) / reserved for cores in use]
