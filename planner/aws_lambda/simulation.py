"""Simulating one Lambda function over arrivals of any number, chunk by chunk."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from planner.aws_lambda import kernel
from planner.aws_lambda.rules import Rules
from planner.errors import TrafficError
from planner.inputs import to_arrivals, to_services
from planner.means import TimeMean
from planner.types import Booleans, Floats, Integers


@dataclass(frozen=True)
class Requests:
    """What happened to each request of a chunk: arrays `(N,)`, seconds; a request starts when it arrives.

    `latency_s` is NaN and `instance` -1 where a request was throttled. Instances are numbered from 0, the
    provisioned ones first.
    """

    start_s: Floats
    latency_s: Floats
    cold: Booleans
    instance: Integers

    @property
    def throttled(self) -> Booleans:
        """Whether each request was refused with status 429."""
        return self.instance < 0


@dataclass(frozen=True)
class Instances:
    """Instances that have left: arrays `(M,)`, seconds: creation, last response, and when each was gone.

    Provisioned instances never leave.
    """

    number: Integers
    born_s: Floats
    ended_s: Floats
    gone_s: Floats


@dataclass(frozen=True)
class Means:
    """Means over the time from `since_s` to `until_s` of a simulation; numbers of instances are weighted by time.

    `recently_used` counts an instance from its creation until `used_within_s` after its last response: what a client
    can see, since it cannot see when an instance leaves. The other counts are the platform's.
    """

    requests: int
    cold: int
    throttled: int
    instances: float
    running: float
    idle: float
    recently_used: float

    @property
    def cold_probability(self) -> float:
        """Cold starts per request that was not throttled; NaN without any."""
        served = self.requests - self.throttled
        return self.cold / served if served else math.nan


class Simulation:
    """One function under `rules`. Feed it the arrivals in chunks, then `finish` it; memory is bounded by the chunk.

    Means are over the time from `since_s` on. The same seed and chunks give the same result.
    """

    def __init__(self, rules: Rules, *, seed: int = 0, since_s: float = 0, used_within_s: float = 600) -> None:
        self._random = np.random.default_rng(seed)
        self._since_s, self._used_within_s = since_s, used_within_s
        self._last_s = 0.0
        self._finished = False
        self._provisioned = rules.provisioned
        self._limits = _to_limits(rules)
        self._state = _new_state(rules)
        self._counts = np.zeros(3, np.int64)  # requests, cold starts, throttled requests
        self._instances, self._running, self._used = (TimeMean(since_s) for _ in range(3))

    def feed(
        self, arrivals_s: ArrayLike, warm_s: ArrayLike, cold_s: ArrayLike, *, per_request: bool = False
    ) -> tuple[Requests, Instances]:
        """Serve a chunk of requests; returns them, and the instances that are known to have left.

        `arrivals_s` is an array `(N,)`. `warm_s` and `cold_s` are measured samples, from which one is drawn for each
        request; where `per_request`, they hold one time for each arrival. Raises TrafficError.
        """
        if self._finished:
            raise TrafficError("the simulation is finished: make another one for more requests")
        arrivals = to_arrivals(arrivals_s, after_s=self._last_s)
        warm, cold = to_services(warm_s, "warm times"), to_services(cold_s, "cold times")
        for name, times in (("warm", warm), ("cold", cold)):
            if per_request and times.size != arrivals.size:
                raise TrafficError(f"{arrivals.size} arrivals need as many {name} times, not {times.size}")
            if not times.size and arrivals.size:
                raise TrafficError(f"there are no {name} times: measure at least one {name} request")
        size = arrivals.size
        requests = Requests(arrivals, np.empty(size), np.empty(size, np.bool_), np.empty(size, np.int64))
        table = self._new_table(size)
        kernel.serve(
            arrivals, warm, cold, not per_request, self._limits, self._state, table, self._random,
            requests.latency_s, requests.cold, requests.instance,
        )  # fmt: skip
        if size:
            self._last_s = float(arrivals[-1])
        self._count(requests)
        return requests, self._collect(table)

    def finish(self, until_s: float | None = None) -> tuple[Means, Instances]:
        """Means until `until_s`, by default the last arrival, and the instances that had not left before.

        Raises TrafficError if `until_s` is before the last arrival. The simulation cannot be fed afterwards.
        """
        until = self._last_s if until_s is None else until_s
        if not self._last_s <= until < math.inf:
            raise TrafficError(f"the simulation cannot end at {until:g} s: the last arrival is at {self._last_s:g} s")
        self._finished = True
        table = self._new_table(0)
        kernel.drain(self._limits, self._state, table, self._random)
        left = self._collect(table)
        instances, running, used = (mean.until(until) for mean in (self._instances, self._running, self._used))
        instances, used = instances + self._provisioned, used + self._provisioned
        requests, cold, throttled = self._counts.tolist()
        means = Means(
            requests, cold, throttled,
            instances=instances, running=running, idle=instances - running, recently_used=used,
        )  # fmt: skip
        return means, left

    def _count(self, requests: Requests) -> None:
        """Add a chunk to the means."""
        counted = requests.start_s >= self._since_s
        throttled = requests.throttled
        self._counts += [counted.sum(), (counted & requests.cold).sum(), (counted & throttled).sum()]
        starts = requests.start_s[~throttled]
        self._running.add(starts, starts + requests.latency_s[~throttled], now_s=self._last_s)

    def _new_table(self, requests: int) -> kernel.Table:
        """Room for every instance that can leave during a chunk."""
        counts = self._state.counts
        counts[kernel.GONE] = 0
        size = int(counts[kernel.IDLE] + counts[kernel.RUNNING]) + requests
        return kernel.Table(np.empty(size, np.int64), *(np.empty(size) for _ in range(3)))

    def _collect(self, table: kernel.Table) -> Instances:
        """The instances in the table, added to the means."""
        count = int(self._state.counts[kernel.GONE])
        left = Instances(
            table.number[:count].copy(),
            table.born[:count].copy(),
            table.ended[:count].copy(),
            table.gone[:count].copy(),
        )
        self._instances.add(left.born_s, left.gone_s, now_s=self._last_s)
        self._used.add(left.born_s, left.ended_s + self._used_within_s, now_s=self._last_s)
        return left


def _to_limits(rules: Rules) -> kernel.Limits:
    return kernel.Limits(
        float(rules.idle_s), float(rules.function_idle_s), float(rules.halving_s), float(rules.recycled_s),
        float(rules.recycled_shape), float(rules.oldest_s[0]), float(rules.oldest_s[1]), rules.pick == "newest",
        rules.provisioned, rules.concurrency, float(rules.burst_s),
    )  # fmt: skip


def _new_state(rules: Rules) -> kernel.State:
    size = rules.concurrency
    floats = [np.zeros(size) for _ in range(5)]
    integers = [np.zeros(size, np.int64) for _ in range(2)]
    counts = np.zeros(7, np.int64)
    counts[kernel.FREE] = size - rules.provisioned
    counts[kernel.NEXT] = counts[kernel.READY] = rules.provisioned
    return kernel.State(
        born=floats[0], ended=floats[1], dies=floats[2], gone=floats[3], number=np.arange(size), idle=integers[0],
        times=floats[4], running=integers[1], free=np.arange(rules.provisioned, size), counts=counts,
        starts=np.full(rules.burst, -np.inf), ready=np.arange(rules.provisioned), last=np.full(1, -np.inf),
    )  # fmt: skip
