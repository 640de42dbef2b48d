"""CloudWatch's part of scaling, compiled: means of periods that arrive late, and alarms on the last of them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from planner.jit import compiled
from planner.types import Booleans, Floats, Integers

# So many digits of a mean count, so that a sum of floats which should be equal to a threshold is not above it.
DIGITS = 9
PERIOD, DELAY, END, DUE, SUM, COUNT = range(6)  # Positions in Points.numbers; seconds, and the values of this period.
HEAD, SIZE = range(2)  # Positions in Points.ring.


class Points(NamedTuple):
    """Means of periods, each known some seconds after its period ends; changed in place.

    A period without values has no point. `numbers[DUE]` is the next end of a period, or the next second at which a
    point becomes known.
    """

    numbers: Floats
    known_s: Floats  # A ring of points that are not known yet: when they will be.
    means: Floats
    ring: Integers


class Alarms(NamedTuple):
    """Alarms on the last points, all of which must be beyond a threshold: arrays by alarm, changed in place."""

    last: Floats  # (A, P) rings of points
    seen: Integers  # points so far
    points: Integers  # that must be beyond
    thresholds: Floats
    above: Booleans


def new_points(period_s: float, delay_s: float, first_end_s: float) -> Points:
    """No points yet; the first period ends at `first_end_s`."""
    numbers = np.array([period_s, delay_s, first_end_s, first_end_s, 0.0, 0.0])
    known_s, means = (np.zeros(int(delay_s // period_s) + 2) for _ in range(2))
    return Points(numbers, known_s, means, np.zeros(2, np.int64))


def new_alarms(*alarms: tuple[int, float, bool]) -> Alarms:
    """Alarms without points, each given by its number of points, its threshold, and whether they must be above it."""
    points, thresholds, above = zip(*alarms, strict=True)
    return Alarms(
        np.zeros((len(alarms), max(points))), np.zeros(len(alarms), np.int64), np.array(points, np.int64),
        np.array(thresholds, np.float64), np.array(above, np.bool_),
    )  # fmt: skip


@compiled
def add_values(points: Points, now_s: float, total: float, count: int) -> None:
    """Take the sum and the number of the values of the ticks up to now, at most one period."""
    numbers, ring = points.numbers, points.ring
    numbers[SUM] += total
    numbers[COUNT] += count
    if now_s < numbers[END]:
        return
    if numbers[COUNT]:
        at = (ring[HEAD] + ring[SIZE]) % len(points.known_s)
        points.known_s[at] = numbers[END] + numbers[DELAY]
        points.means[at] = round(numbers[SUM] / numbers[COUNT], DIGITS)
        ring[SIZE] += 1
    numbers[SUM] = numbers[COUNT] = 0.0
    while numbers[END] <= now_s:
        numbers[END] += numbers[PERIOD]


@compiled
def take_point(points: Points, now_s: float) -> float:
    """The next point that is known by now, NaN if there is none; call it until there is none."""
    numbers, ring = points.numbers, points.ring
    if now_s < numbers[DUE]:
        return math.nan
    head = ring[HEAD]
    if ring[SIZE] and points.known_s[head] <= now_s:
        ring[HEAD] = (head + 1) % len(points.known_s)
        ring[SIZE] -= 1
        return float(points.means[head])
    numbers[DUE] = min(numbers[END], points.known_s[head]) if ring[SIZE] else numbers[END]
    return math.nan


@compiled
def is_raised(alarms: Alarms, alarm: int, value: float) -> bool:
    """Take a point; whether the alarm is raised with it."""
    needed = alarms.points[alarm]
    alarms.last[alarm, alarms.seen[alarm] % needed] = value
    alarms.seen[alarm] += 1
    if alarms.seen[alarm] < needed:
        return False
    for at in range(needed):
        value, threshold = alarms.last[alarm, at], alarms.thresholds[alarm]
        if not (value > threshold if alarms.above[alarm] else value < threshold):
            return False
    return True


@compiled
def ceiling(replicas: float) -> int:
    """Replicas rounded up; what floating point adds to a whole number does not count."""
    return math.ceil(round(replicas, DIGITS))


@compiled
def total_utilization(use: Floats, running: int, ready: int, idle_cores: float, request_cores: float) -> float:
    """The CPU of all running replicas against what they reserve, percent, summed over ticks; some must run."""
    idle, reserved, total = idle_cores * (running - ready), running * request_cores, 0.0
    for cores in use:
        total += 100 * (cores * ready + idle) / reserved
    return total
