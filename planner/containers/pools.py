"""The ready replicas with what is before them: a load balancer, or Knative's activator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from planner.containers import activator, balanced
from planner.containers.credits import Account
from planner.containers.stride import Steady, stride
from planner.containers.work import BEGIN, TOTAL, count_all, new_work
from planner.scaling.instances import Provider
from planner.scaling.policy import Policy
from planner.types import Bytes, Floats, Integers


@dataclass(frozen=True)
class Chunk:
    """Requests of one call, and what happened to them so far: arrays, seconds.

    The results have `offset` more places, at the beginning, for earlier requests that still wait. `services` has a time
    for each request, or samples to draw from where `drawn`; `luck` has two random numbers for each.
    """

    arrivals: Floats
    services: Floats
    drawn: bool
    luck: Floats
    offset: int
    arrival: Floats
    latency: Floats
    wait: Floats
    outcome: Bytes


def new_chunk(
    arrivals: Floats, services: Floats, random: np.random.Generator, *, drawn: bool, waiting: Floats
) -> Chunk:
    """A chunk without results; `waiting` has the arrivals of those that still wait."""
    arrival = np.concatenate((waiting, arrivals)) if waiting.size else arrivals
    latency, wait = (np.full(arrival.size, np.nan) for _ in range(2))
    luck, outcome = random.random((arrivals.size, 2)), np.zeros(arrival.size, np.uint8)
    return Chunk(arrivals, services, drawn, luck, waiting.size, arrival, latency, wait, outcome)


class Pool(ABC):
    """Serves requests on the replicas that are ready, of at most `replicas`; times never decrease.

    Work is counted per tick of a second; at most `ticks` of them lie between two calls of `begin_ticks`.
    """

    def __init__(self, limits: balanced.Limits, replicas: int, ticks: int, since_s: float) -> None:
        self.work = new_work(replicas, ticks, since_s)
        self.ready = 0
        self._limits = limits
        self._lines, self._line = balanced.new_lines(1, 1), activator.new_line(1)

    @property
    @abstractmethod
    def waits(self) -> int:
        """The number of requests that wait for a replica which takes them."""

    @abstractmethod
    def waiting(self) -> Floats:
        """The arrivals of the requests that wait for a replica; their results go into the next chunk."""

    @abstractmethod
    def serve(self, chunk: Chunk, first: int, stop: int) -> None:
        """Take the requests from `first` to `stop` of a chunk."""

    @abstractmethod
    def settle(self, chunk: Chunk, now_s: float) -> None:
        """Begin all inferences that begin by now."""

    @abstractmethod
    def close(self, chunk: Chunk, until_s: float) -> None:
        """Begin all inferences that begin by a time of the present ticks, and count the work until then."""

    def stride(
        self, chunk: Chunk, first: int, last_s: float, span: Integers, steady: Steady, policy: Policy,
        provider: Provider, account: Account,
    ) -> tuple[int, int, int]:  # fmt: skip
        """Serve a chunk and decide, as `stride.stride` does."""
        return stride(
            chunk.arrivals, chunk.services, first, chunk.drawn, chunk.offset, last_s, span, steady, policy,
            provider, account, self._limits, self.work, self._lines, self._line, chunk.luck, chunk.latency, chunk.wait,
            chunk.outcome,
        )  # fmt: skip

    @property
    def inferences_s(self) -> float:
        """The work that is counted, without that of replicas that were removed, seconds."""
        return float(self.work.clock[TOTAL])

    def begin_ticks(self, now_s: float) -> None:
        """Begin new ticks, without any work counted."""
        used = int(now_s - self.work.clock[BEGIN]) + 1
        self.work.busy[:used] = self.work.inside[:used] = 0
        self.work.clock[BEGIN] = now_s
        self.work.spent[:] = 0

    def activate(self, now_s: float) -> None:
        """One more replica is ready."""
        for times in (self.work.free, self.work.ends, self.work.counted, self.work.taken):
            times[self.ready] = now_s
        self.ready += 1

    def retire(self, ready: int, now_s: float) -> Floats:
        """Keep the first `ready` replicas, and let the others finish what they have; returns when they have."""
        ends = self.work.ends[ready : self.ready].copy()
        self.work.spent[ready : self.ready] += np.maximum(ends - now_s, 0)
        self.ready = ready
        return ends


class BalancedPool(Pool):
    """Replicas with a queue each."""

    def __init__(self, limits: balanced.Limits, replicas: int, ticks: int, since_s: float) -> None:
        super().__init__(limits, replicas, ticks, since_s)
        self._lines = balanced.new_lines(replicas, limits.queue)

    @property
    def waits(self) -> int:
        """0: each request goes to a replica, or is refused, at once."""
        return 0

    def waiting(self) -> Floats:
        """None: each request goes to a replica, or is refused, at once."""
        return np.empty(0)

    def serve(self, chunk: Chunk, first: int, stop: int) -> None:
        """Take the requests from `first` to `stop` of a chunk."""
        balanced.serve(
            chunk.arrivals, chunk.services, first, stop, chunk.drawn, self.ready, self._limits, self.work, self._lines,
            chunk.luck, chunk.latency, chunk.wait, chunk.outcome,
        )  # fmt: skip

    def settle(self, chunk: Chunk, now_s: float) -> None:
        """Nothing to do: when an inference begins is known when its request arrives."""

    def close(self, chunk: Chunk, until_s: float) -> None:
        """Count the work until a time of the present ticks."""
        count_all(self.ready, until_s, self.work)

    def activate(self, now_s: float) -> None:
        """One more replica is ready, with an empty queue."""
        self._lines.heads[:, self.ready] = self._lines.sizes[:, self.ready] = 0
        super().activate(now_s)


class ActivatedPool(Pool):
    """Replicas with one queue for all."""

    def __init__(self, limits: balanced.Limits, replicas: int, ticks: int, since_s: float) -> None:
        super().__init__(limits, replicas, ticks, since_s)
        self._line = activator.new_line(limits.queue)

    @property
    def waits(self) -> int:
        """The number of requests that wait for a replica which takes them."""
        return int(self._line.state[activator.SIZE])

    def waiting(self) -> Floats:
        """The arrivals of the requests that wait for a replica; their results go into the next chunk."""
        head, size = self._line.state.tolist()
        at = (head + np.arange(size)) % len(self._line.arrival)
        self._line.result[at] = np.arange(size)
        arrivals: Floats = self._line.arrival[at]
        return arrivals

    def serve(self, chunk: Chunk, first: int, stop: int) -> None:
        """Take the requests from `first` to `stop` of a chunk."""
        activator.serve(
            chunk.arrivals, chunk.services, first, stop, chunk.drawn, self.ready, chunk.offset, self._limits,
            self.work, self._line, chunk.luck, chunk.latency, chunk.wait, chunk.outcome,
        )  # fmt: skip

    def settle(self, chunk: Chunk, now_s: float) -> None:
        """Begin all inferences that begin by now."""
        activator.settle(
            now_s, self.ready, self._limits, self.work, self._line, chunk.latency, chunk.wait, chunk.outcome
        )

    def close(self, chunk: Chunk, until_s: float) -> None:
        """Begin all inferences that begin by a time of the present ticks, and count the work and the waiting."""
        activator.close(
            until_s, self.ready, self._limits, self.work, self._line, chunk.latency, chunk.wait, chunk.outcome
        )
