"""How many requests a traffic has, and how many of them at most in a minute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.errors import TrafficError
from planner.traffic.load import Traffic


@dataclass(frozen=True)
class Count:
    """The requests of a traffic, its length in seconds, and the requests of its busiest minute."""

    requests: int
    length_s: float
    busiest_minute: int


def count(traffic: Traffic) -> Count:
    """Read a traffic to its end; raises TrafficError if it has no requests."""
    requests, minute, in_minute, most = 0, -1, 0, 0
    for times in traffic.chunks():
        if not times.size:
            continue
        requests += times.size
        minutes, counts = np.unique(times // 60, return_counts=True)
        # The first minute of a chunk may be the last one of the chunk before.
        counts[0] += in_minute if minutes[0] == minute else 0
        minute, in_minute, most = int(minutes[-1]), int(counts[-1]), max(most, int(counts.max()))
    if not requests:
        raise TrafficError(f"{traffic.name} has no requests at scale {traffic.scale:g}")
    return Count(requests, traffic.length_s, most)
