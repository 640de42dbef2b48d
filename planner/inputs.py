"""Checks of the times that a simulation is given."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from planner.errors import TrafficError
from planner.types import Floats


def to_arrivals(given: ArrayLike, *, after_s: float) -> Floats:
    """Arrival times as an array `(N,)`, seconds; raises TrafficError unless they are finite and do not decrease.

    `after_s` is the last arrival of the chunk before.
    """
    times = _to_floats(given, "arrival times")
    if not times.size:
        return times
    steps = np.diff(times, prepend=max(after_s, 0.0))
    if (wrong := int(steps.argmin())) >= 0 and steps[wrong] < 0:
        before = times[wrong - 1] if wrong else max(after_s, 0.0)
        raise TrafficError(
            f"arrival {wrong + 1} of this chunk is at {times[wrong]:g} s, before {before:g} s: sort the times, from 0"
        )
    return times


def to_services(given: ArrayLike, what: str) -> Floats:
    """Service times as an array `(N,)`, seconds; raises TrafficError unless they are finite and positive."""
    times = _to_floats(given, what)
    if times.size and times.min() <= 0:
        raise TrafficError(f"{what}: {times.min():g} s is not a service time: it must be positive")
    return times


def _to_floats(given: ArrayLike, what: str) -> Floats:
    times = np.ascontiguousarray(given, dtype=np.float64)
    if times.ndim != 1:
        raise TrafficError(f"{what} must be one list of seconds, not an array of shape {times.shape}")
    if not np.isfinite(times).all():
        raise TrafficError(
            f"{what}: number {int((~np.isfinite(times)).argmax()) + 1} is not a finite number of seconds"
        )
    return times
