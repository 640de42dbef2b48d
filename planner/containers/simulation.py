"""Simulating the replicas of a service over arrivals of any number, chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from loadtest.cost.prices import Burstable
from planner.containers import balanced
from planner.containers.clock import Clock
from planner.containers.parameters import REQUEST_TIMEOUT_S, Balancer, Parameters
from planner.containers.pools import Chunk, new_chunk
from planner.containers.timeline import Timeline
from planner.containers.usage import Usage
from planner.errors import TrafficError
from planner.inputs import to_arrivals, to_services
from planner.scaling.books import Book
from planner.scaling.simulate import MOST_SECONDS
from planner.types import Booleans, Floats


@dataclass(frozen=True)
class Requests:
    """What happened to each request of a chunk, by arrival: arrays `(N,)`, seconds.

    `latency_s` is NaN where a request was refused (503) or timed out (504), `wait_s` where it was never worked on.
    """

    arrival_s: Floats
    latency_s: Floats
    refused: Booleans
    timed_out: Booleans
    wait_s: Floats


class Simulation:
    """A service on the platform of `book`. Feed it the arrivals in chunks, then `finish` it.

    An inference takes `service_s` and uses `cores_per_request`, at most the replica's cores; `overhead_s` is added to
    each latency for what does not hold up others' inferences: the network, S3, decoding. The autoscaler sees the
    replicas' inferences as CPU use, or the requests in work and waiting as concurrency.

    `balancer`, by default that of the platform: "least" is an application load balancer, which takes the replica with
    the fewest requests that are not answered yet, ties at random; "random" is kube-proxy; "round-robin" takes turns.
    There, each replica has room for `queue` requests, in work or waiting (MAX_QUEUE); more are refused, and so are
    those that come while no replica is ready. A request that waits for `deadline_s` (REQUEST_TIMEOUT_S) is dropped;
    one whose inference has begun is worked off. "activator" is Knative's: `queue` requests wait there for a free
    replica, which takes one at a time, for its overhead as well. Those that wait for `timeout_s` are dropped;
    `deadline_s` begins when a replica takes the request.

    A request times out that takes longer than `timeout_s` (of the load balancer or of the client) or `deadline_s`.
    `burst` are instances with CPU credits, in unlimited mode. Usage is counted from `since_s` on. `replicas` are ready
    at the start, by default the fewest. Memory depends on the chunk, the queues, and the steps of `step_s` of the
    timeline, not on the number of requests. The same seed gives the same result, in any chunks. Raises RulesError.
    """

    def __init__(
        self, book: Book, *, cores_per_request: float, overhead_s: float = 0.0, queue: int | None = None,
        timeout_s: float = 60, deadline_s: float = REQUEST_TIMEOUT_S, balancer: Balancer | None = None,
        burst: Burstable | None = None, seed: int = 0, since_s: float = 0, replicas: int | None = None,
        step_s: int = 60,
    ) -> None:  # fmt: skip
        self._clock = Clock(
            Parameters(
                book=book, cores_per_request=cores_per_request, overhead_s=overhead_s, queue=queue,
                timeout_s=timeout_s, deadline_s=deadline_s, balancer=balancer, burst=burst, since_s=since_s,
                replicas=replicas, step_s=step_s,
            )
        )  # fmt: skip
        self._random = np.random.default_rng(seed)
        self._last_s = 0.0
        self._usage: Usage | None = None
        self._rest = _to_requests(self._new_chunk(np.empty(0), np.empty(0), drawn=False))

    def feed(self, arrivals_s: ArrayLike, service_s: ArrayLike, *, per_request: bool = False) -> Requests:
        """Serve a chunk of requests; their arrivals are an array `(N,)`.

        `service_s` are measured samples, from which one is drawn for each request; where `per_request`, one time for
        each arrival. Behind an activator the result has the requests whose outcome is known by the last arrival: those
        of earlier calls that waited until now are included, and those that still wait come with a later call or, at
        the end, as `rest`. Raises TrafficError.
        """
        if self._usage is not None:
            raise TrafficError("the simulation is finished: make another one for more requests")
        arrivals = to_arrivals(arrivals_s, after_s=self._last_s)
        services = to_services(service_s, "service times")
        if per_request and services.size != arrivals.size:
            raise TrafficError(f"{arrivals.size} arrivals need as many service times, not {services.size}")
        if not services.size and arrivals.size:
            raise TrafficError("there are no service times: measure at least one request")
        if arrivals.size and arrivals[-1] > MOST_SECONDS:
            raise TrafficError(f"an arrival is at {arrivals[-1]:g} s: a simulation has at most {MOST_SECONDS} s")
        chunk = self._new_chunk(arrivals, services, drawn=not per_request)
        self._clock.serve(chunk)
        if arrivals.size:
            self._last_s = float(arrivals[-1])
        return self._known(chunk)

    def finish(self, until_s: float | None = None) -> Usage:
        """Usage until `until_s`, by default the last arrival; requests that wait then are simulated to their end.

        Raises TrafficError if `until_s` is before the last arrival. The simulation cannot be fed afterwards.
        """
        until = self._last_s if until_s is None else until_s
        if not self._last_s <= until <= MOST_SECONDS:
            raise TrafficError(
                f"the simulation cannot end at {until:g} s: the last arrival is at {self._last_s:g} s, and the "
                f"longest simulation takes {MOST_SECONDS} s"
            )
        if self._usage is not None:
            raise TrafficError("the simulation is finished already")
        chunk = self._new_chunk(np.empty(0), np.empty(0), drawn=False)
        self._clock.finish(chunk, until)
        self._rest = self._known(chunk)
        self._usage = self._clock.ledger.usage()
        return self._usage

    @property
    def rest(self) -> Requests:
        """The requests that waited for a replica after the last call of `feed`; none before the end."""
        return self._rest

    @property
    def timeline(self) -> Timeline:
        """Replicas over time, until the last decision before the last arrival or, at the end, until the end."""
        return self._clock.timeline()

    def _new_chunk(self, arrivals: Floats, services: Floats, *, drawn: bool) -> Chunk:
        return new_chunk(arrivals, services, self._random, drawn=drawn, waiting=self._clock.pool.waiting())

    def _known(self, chunk: Chunk) -> Requests:
        requests = _to_requests(chunk)
        self._clock.ledger.add_requests(requests.arrival_s, requests.refused, requests.timed_out)
        return requests


def _to_requests(chunk: Chunk) -> Requests:
    """The requests whose outcome is known."""
    known = chunk.outcome != balanced.WAITING
    columns = (chunk.arrival, chunk.latency, chunk.outcome, chunk.wait)
    if not known.all():
        columns = tuple(column[known] for column in columns)
    arrival, latency, outcome, wait = columns
    return Requests(arrival, latency, outcome == balanced.REFUSED, outcome == balanced.TIMED_OUT, wait)
