"""What all configurations of a plan share: measured times, prices, the rules of Lambda, and the traffic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from loadtest.cost.prices import Architecture, Prices, RegionPrices
from loadtest.platforms.aws_lambda import LambdaSettings
from planner.aws_lambda.rules import Rules
from planner.errors import MeasuredError
from planner.plan.measured import ServiceTimes
from planner.plan.sizes import at_memory, memory_of
from planner.plan.spot import Spot
from planner.traffic import Traffic
from planner.traffic.count import count
from planner.traffic.shapes import DAY_S
from planner.types import Floats

MOST_DAYS = 30
SHORTEST_S = 60.0
ENOUGH = 2000  # requests; a traffic with fewer is repeated, for MOST_DAYS at most
MOST_REPEATED = 5_000_000  # requests of a traffic with all its repetitions
CHUNK = 200_000  # requests of a repeated traffic that are simulated at once


@dataclass(frozen=True)
class World:
    """The assumptions of a plan that are the same for all configurations.

    `functions` are Lambda's measured sizes, `services` the containers' by platform. A busy replica uses
    `cores_per_request`. With SnapStart a restore takes `restore_s`, which is not measured; None is without SnapStart.
    `spot` is None without spot instances.
    `cold_factor` multiplies cold starts, `dearer` the bill of a platform.
    """

    functions: tuple[ServiceTimes, ...]
    services: Mapping[str, ServiceTimes]
    prices: Prices
    region: str
    lifetimes: Rules
    cores_per_request: float
    restore_s: float | None = None
    spot: Spot | None = None
    cold_factor: float = 1
    dearer: Mapping[str, float] = field(default_factory=dict)

    @property
    def region_prices(self) -> RegionPrices:
        """The prices of the region."""
        return self.prices.regions[self.region]

    def function(self, memory_mb: int, *, snapstart: bool = False) -> ServiceTimes:
        """The times of a function with this memory; raises MeasuredError.

        With SnapStart a cold request takes a restore and a warm request; AWS does not bill the restore's time.
        """
        times = at_memory(self.functions, memory_mb)
        if snapstart:
            assert self.restore_s is not None
            restore_s = self.restore_s * self.cold_factor
            return replace(times, kinds=tuple(kind.restored(restore_s) for kind in times.kinds))
        if not times.cold_s.size:
            raise MeasuredError(f"the runs of {times.label} have no cold start: run profile single or idle-gaps again")
        return replace(times, kinds=tuple(kind.scaled(1, self.cold_factor) for kind in times.kinds))

    def service(self, platform: str) -> ServiceTimes:
        """The times of the service on a platform; those of ECS where the platform itself was not measured."""
        found = self.services.get(platform) or next(iter(self.services.values()), None)
        if found is None:
            raise MeasuredError("no run is of the service: measure profile single against ECS")
        return found

    @property
    def architecture(self) -> Architecture:
        """The architecture of the measured functions."""
        settings = self.functions[0].settings
        assert isinstance(settings, LambdaSettings)
        return settings.architecture

    @property
    def memory_sizes(self) -> Sequence[int]:
        """The measured memory sizes of Lambda, MB, ascending."""
        return sorted(memory_of(one) for one in self.functions)


@dataclass(frozen=True)
class Demand:
    """A traffic for as long as a plan simulates it; a short one is repeated, so that instances do not start unused.

    `requests` come in `once_s` seconds, of which each is kept with probability `keep`. Nothing comes after `cut_s`.
    """

    traffic: Traffic
    once_s: float
    requests: int
    busiest_minute: int
    keep: float = 1.0
    cut_s: float = math.inf

    @property
    def per_s(self) -> float:
        """The mean rate of requests."""
        return self.requests * self.keep / self.once_s

    @property
    def repeats(self) -> int:
        """How often the traffic is repeated: until a day is full and there are enough requests, for a month at most."""
        days = max(1, min(MOST_DAYS, math.ceil(ENOUGH / (self.per_s * DAY_S))))
        return max(1, min(math.ceil(days * DAY_S / self.once_s), MOST_REPEATED // self.requests))

    @property
    def length_s(self) -> float:
        """The simulated time, seconds."""
        return min(self.once_s * self.repeats, self.cut_s)

    def chunks(self) -> Iterator[Floats]:
        """The arrivals in chunks, arrays `(N,)`, seconds from 0; the same each time."""
        random = np.random.default_rng(self.traffic.seed)
        for chunk in self._repeated():
            times = chunk if self.keep == 1 else chunk[random.random(chunk.size) < self.keep]
            # The copies of a scaled trace's last arrival may come after its end.
            yield times[(times <= self.length_s) & (times < self.cut_s)]
            if times.size and times[-1] >= self.cut_s:
                return

    def limited(self, most: int, most_days: int = MOST_DAYS) -> Demand:
        """The first days of it, as many as have about `most` requests, but at least one."""
        days = max(1, min(most_days, math.floor(most / (self.per_s * DAY_S))))
        return replace(self, cut_s=days * DAY_S) if days * DAY_S < self.length_s else self

    def scaled(self, scale: float) -> Demand:
        """So many times the requests in the same time, fewer by chance, more by its own scale; raises TrafficError."""
        keep = self.keep * scale
        if keep <= 1:
            return replace(self, keep=keep)
        return measure(replace(self.traffic, scale=self.traffic.scale * keep))

    def _repeated(self) -> Iterator[Floats]:
        """The traffic again and again, several small chunks at once."""
        if self.repeats == 1:
            yield from self.traffic.chunks()
            return
        once = np.concatenate(list(self.traffic.chunks()))
        once = once[once <= self.once_s]
        together = max(1, CHUNK // once.size)
        for first in range(0, self.repeats, together):
            starts = np.arange(first, min(first + together, self.repeats)) * self.once_s
            yield (starts[:, None] + once).ravel()


def measure(traffic: Traffic) -> Demand:
    """Count a traffic, and let it last a minute at least; raises TrafficError if it has no requests."""
    found = count(traffic)
    return Demand(traffic, max(found.length_s, SHORTEST_S), found.requests, found.busiest_minute)
