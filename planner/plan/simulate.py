"""Simulating one configuration under a demand, with one seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.aws_lambda.simulation import Simulation as FunctionSimulation
from planner.containers.parameters import MAX_QUEUE, REQUEST_TIMEOUT_S
from planner.containers.simulation import Requests
from planner.containers.simulation import Simulation as ContainerSimulation
from planner.containers.usage import Usage
from planner.plan.candidates import Candidate, ContainerCandidate, FunctionCandidate, HybridCandidate
from planner.plan.collect import Collector
from planner.plan.measured import ServiceTimes
from planner.plan.samples import Drawn, draw
from planner.plan.world import Demand, World
from planner.scaling.rules import KnativeRules
from planner.types import Booleans, Floats
from serving.bounds import places

MIX = 1  # Of the random numbers that choose the picture of a request, besides the simulation's own.
API_GATEWAY_S = 30.0  # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html


@dataclass(frozen=True)
class FunctionUse:
    """What a function is billed for: requests by kind with the samples of their times, and provisioned instances."""

    times: ServiceTimes
    drawn: Drawn
    warm: int
    cold: int
    provisioned: int
    snapstart: bool


@dataclass(frozen=True)
class Simulated:
    """One configuration under a demand: its figures, and what is billed."""

    collector: Collector
    length_s: float
    function: FunctionUse | None = None
    containers: Usage | None = None
    requests_to_containers: int = 0


def simulate(candidate: Candidate, demand: Demand, world: World, seed: int) -> Simulated:
    """Simulate a configuration; the first seed takes the measured times, each other one resamples them."""
    random = np.random.default_rng(seed) if seed > 1 else None
    if isinstance(candidate, FunctionCandidate):
        return _function(candidate, demand, world, seed, random)
    if isinstance(candidate, ContainerCandidate):
        return _containers(candidate, demand, world, seed, random)
    assert isinstance(candidate, HybridCandidate)
    return _hybrid(candidate, demand, world, seed, random)


class _Function:
    """A function, fed chunk by chunk."""

    def __init__(
        self, candidate: FunctionCandidate, world: World, seed: int, random: np.random.Generator | None
    ) -> None:
        self._rules = replace(world.lifetimes, provisioned=candidate.provisioned)
        self._simulation = FunctionSimulation(self._rules, seed=seed)
        self._times = world.function(candidate.memory_mb, snapstart=candidate.snapstart)
        self._snapstart = candidate.snapstart
        self._drawn = draw(self._times.kinds, random)
        self._cold = self._served = 0

    def feed(self, arrivals_s: Floats, collector: Collector) -> tuple[Floats, Booleans, Booleans]:
        """Latencies, seconds, which requests failed for the client, and which were cold."""
        requests, left = self._simulation.feed(arrivals_s, self._drawn.warm_s, self._drawn.cold_s)
        collector.add_instances(left.born_s, left.gone_s)
        self._served += int((~requests.throttled).sum())
        self._cold += int(requests.cold.sum())
        # A throttled one has no latency; one that takes too long is billed, but the client has an error.
        return requests.latency_s, ~(requests.latency_s <= API_GATEWAY_S), requests.cold

    def finish(self, length_s: float, collector: Collector) -> FunctionUse:
        """What is billed."""
        _, left = self._simulation.finish(length_s)
        collector.add_instances(left.born_s, left.gone_s)
        collector.add_constant(self._rules.provisioned)
        warm = self._served - self._cold
        return FunctionUse(self._times, self._drawn, warm, self._cold, self._rules.provisioned, self._snapstart)


def _function(
    candidate: FunctionCandidate, demand: Demand, world: World, seed: int, random: np.random.Generator | None
) -> Simulated:
    collector, function = Collector(demand.length_s), _Function(candidate, world, seed, random)
    for arrivals in demand.chunks():
        collector.add(arrivals, *function.feed(arrivals, collector))
    return Simulated(collector, demand.length_s, function=function.finish(demand.length_s, collector))


def _queue(candidate: ContainerCandidate, times: ServiceTimes) -> int | None:
    """The places at a container, of which the service has no more than it can answer in time; None at Knative's."""
    if candidate.queue is not None or isinstance(candidate.book.scaler, KnativeRules):
        return candidate.queue
    return places(MAX_QUEUE, REQUEST_TIMEOUT_S, times.detect_s)


class _Containers:
    """Containers, fed chunk by chunk."""

    def __init__(
        self, candidate: ContainerCandidate, world: World, seed: int, random: np.random.Generator | None
    ) -> None:
        times = world.service(candidate.price_of)
        self._drawn = draw(times.kinds, random)
        overhead_s = times.overhead_s
        # In a mix the steps beside the detection differ by kind too, which the simulation does not know of. What is
        # added depends on the picture that was drawn; with an activator the order of requests is not known.
        self._extra_s = self._drawn.warm_s - self._drawn.detect_s - overhead_s
        self._mix = len(times.kinds) > 1 and not isinstance(candidate.book.scaler, KnativeRules)
        self._random = np.random.default_rng((seed, MIX))
        self._simulation = ContainerSimulation(
            candidate.book, cores_per_request=min(world.cores_per_request, candidate.book.replica.cores),
            overhead_s=overhead_s, queue=_queue(candidate, times), seed=seed,
            burst=world.prices.burstable.get(candidate.size),
        )  # fmt: skip

    def feed(self, arrivals_s: Floats) -> Requests:
        """What happened to the requests whose outcome is known."""
        if not self._mix:
            return self._simulation.feed(arrivals_s, self._drawn.detect_s)
        chosen = self._random.integers(self._drawn.detect_s.size, size=arrivals_s.size)
        found = self._simulation.feed(arrivals_s, self._drawn.detect_s[chosen], per_request=True)
        return replace(found, latency_s=found.latency_s + self._extra_s[chosen])

    def finish(self, length_s: float, collector: Collector) -> tuple[Usage, Requests]:
        """What is billed, and the requests whose outcome was not known before."""
        usage = self._simulation.finish(length_s)
        timeline = self._simulation.timeline
        collector.add_steps(timeline.instances.astype(np.float64), timeline.step_s)
        return usage, self._simulation.rest


def _containers(
    candidate: ContainerCandidate, demand: Demand, world: World, seed: int, random: np.random.Generator | None
) -> Simulated:
    collector, containers = Collector(demand.length_s), _Containers(candidate, world, seed, random)

    def count(requests: Requests) -> None:
        none = np.zeros(requests.arrival_s.size, np.bool_)
        collector.add(requests.arrival_s, requests.latency_s, requests.refused | requests.timed_out, none)

    for arrivals in demand.chunks():
        count(containers.feed(arrivals))
    usage, rest = containers.finish(demand.length_s, collector)
    count(rest)
    return Simulated(collector, demand.length_s, containers=usage, requests_to_containers=usage.requests)


def _hybrid(
    candidate: HybridCandidate, demand: Demand, world: World, seed: int, random: np.random.Generator | None
) -> Simulated:
    """Containers first; what they would refuse goes to the function at once."""
    collector, containers = Collector(demand.length_s), _Containers(candidate.containers, world, seed, random)
    function = _Function(candidate.function, world, seed, random)
    for arrivals in demand.chunks():
        requests = containers.feed(arrivals)
        over = requests.refused
        latency_s, failed, cold = requests.latency_s.copy(), requests.timed_out.copy(), np.zeros(over.size, np.bool_)
        latency_s[over], failed[over], cold[over] = function.feed(requests.arrival_s[over], collector)
        collector.add(requests.arrival_s, latency_s, failed, cold)
    usage, _ = containers.finish(demand.length_s, collector)
    use = function.finish(demand.length_s, collector)
    to_containers = usage.requests - usage.refused
    return Simulated(collector, demand.length_s, function=use, containers=usage, requests_to_containers=to_containers)
