"""A queue with several servers: first in, first out, with a limit on how many requests may wait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from planner import heap
from planner.errors import RulesError, TrafficError
from planner.inputs import to_arrivals, to_services
from planner.jit import compiled
from planner.types import Booleans, Floats, Integers

# One server takes 24 bytes, one place to wait 8.
LIMIT = 1_000_000


@dataclass(frozen=True)
class Served:
    """What happened to each request of a chunk: arrays `(N,)`, seconds; NaN where a request was refused."""

    arrival_s: Floats
    start_s: Floats
    end_s: Floats

    @property
    def refused(self) -> Booleans:
        """Whether each request found too many others waiting."""
        return np.isnan(self.start_s)

    @property
    def wait_s(self) -> Floats:
        """Time from each arrival to the start of its service."""
        return self.start_s - self.arrival_s


class Queue:
    """`servers` servers with one queue; a request that finds `waiting` others waiting is refused (None: no limit).

    Feed it the arrivals in chunks: memory is bounded by the chunk. Raises RulesError, and TrafficError by `feed`.
    """

    def __init__(self, servers: int, *, waiting: int | None = None) -> None:
        for name, value, least in (("servers", servers, 1), ("waiting", waiting, 0)):
            if value is not None and not least <= value <= LIMIT:
                raise RulesError(f"{name} is {value}, and must be from {least} to {LIMIT:,}")
        self._last_s = 0.0
        self._free_s = np.zeros(servers)
        self._items = np.zeros(servers, np.int64)
        # The starts of the last accepted requests, in a ring; empty without a limit.
        self._ring = np.full(waiting or 0, -np.inf)
        self._at = np.zeros(1, np.int64)
        self._limited = waiting is not None

    def feed(self, arrivals_s: ArrayLike, service_s: ArrayLike) -> Served:
        """Serve a chunk of requests; their arrivals and service times are arrays `(N,)`, seconds."""
        arrivals, services = to_arrivals(arrivals_s, after_s=self._last_s), to_services(service_s, "service times")
        if arrivals.shape != services.shape:
            raise TrafficError(f"{arrivals.size} arrivals need as many service times, not {services.size}")
        starts = _serve(arrivals, services, self._free_s, self._items, self._ring, self._at, self._limited)
        if arrivals.size:
            self._last_s = float(arrivals[-1])
        return Served(arrivals, starts, starts + services)


@compiled
def _serve(
    arrivals: Floats, services: Floats, free: Floats, items: Integers, ring: Floats, at: Integers, limited: bool
) -> Floats:
    """The start of each request; NaN if refused. `free`, a heap, `ring` and `at` are the state, and are changed."""
    starts = np.empty(len(arrivals))
    servers, places = len(free), len(ring)
    for i in range(len(arrivals)):
        now = arrivals[i]
        start = max(now, free[0])
        # Starts do not decrease, so if the last but `places` has not begun, that many requests wait.
        if limited and start > now and (places == 0 or ring[at[0]] > now):
            starts[i] = np.nan
            continue
        starts[i] = start
        heap.pop(free, items, servers)
        heap.push(free, items, servers - 1, start + services[i], 0)
        if places:
            ring[at[0]] = start
            at[0] = (at[0] + 1) % places
    return starts
