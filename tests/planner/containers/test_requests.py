"""Requests on a fixed number of replicas: exact against plain Python, and against queueing theory."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from planner.containers.parameters import Balancer
from planner.containers.simulation import Requests, Simulation
from planner.queueing import Queue
from planner.types import Floats
from planner.validate.theory import lognormal, mg1_wait_s
from tests.planner.containers import plain
from tests.planner.containers.books import fixed

ENDLESS: dict[str, Any] = {"queue": 400_000, "timeout_s": 1e6, "deadline_s": 1e6}


def traffic(seed: int, size: int, rate: float) -> tuple[Floats, Floats]:
    """Random arrivals, some at the same moment and some exactly on a second, with random services."""
    random = np.random.default_rng(seed)
    gaps = random.exponential(1 / rate, size) * random.choice([0, 0.2, 1, 3], size)
    arrivals = np.cumsum(gaps)
    whole = random.random(size) < 0.05
    arrivals[whole] = np.floor(arrivals[whole])
    return np.sort(arrivals), random.choice([0.05, 0.25, 0.5, 1.0, 4.0], size)


def rows(requests: Requests) -> list[plain.Row]:
    """What happened to each request, in the form of the plain simulation."""
    names = np.where(requests.refused, "refused", np.where(requests.timed_out, "timed out", "served"))
    return list(zip(names.tolist(), requests.latency_s.tolist(), requests.wait_s.tolist(), strict=True))


CASES: list[dict[str, Any]] = [
    {"queue": queue, "timeout_s": timeout_s, "deadline_s": deadline_s, "overhead_s": overhead_s}
    for queue, timeout_s, deadline_s, overhead_s in itertools.product(
        (1, 3, 32), (1.5, 60.0), (2.0, 8.0, np.inf), (0.0, 0.125)
    )
]


@pytest.mark.parametrize("replicas", [1, 2, 5])
@pytest.mark.parametrize("balancer", ["least", "random", "round-robin"])
@pytest.mark.slow
def test_each_request_fares_as_in_plain_python(balancer: Balancer, replicas: int) -> None:
    outcomes: set[str] = set()
    for seed, case in enumerate(CASES):
        arrivals, services = traffic(seed, 600, 1.7 * replicas)
        simulation = Simulation(fixed(replicas), cores_per_request=2, balancer=balancer, seed=seed, **case)
        found = rows(simulation.feed(arrivals, services, per_request=True))
        choices = np.random.default_rng(seed).random((600, 2))[:, 0]
        expected = plain.balanced(arrivals, services, choices, replicas=replicas, balancer=balancer, **case)
        np.testing.assert_array_equal([row[0] for row in found], [row[0] for row in expected])
        np.testing.assert_array_equal([row[1:] for row in found], [row[1:] for row in expected])
        outcomes |= {row[0] for row in found}
    assert outcomes == {"served", "refused", "timed out"}


@pytest.mark.parametrize("replicas", [1, 2, 5])
@pytest.mark.slow
def test_each_request_fares_as_in_plain_python_behind_an_activator(replicas: int) -> None:
    outcomes: set[str] = set()
    for seed, case in enumerate(CASES):
        arrivals, services = traffic(seed, 600, 1.7 * replicas)
        simulation = Simulation(fixed(replicas), cores_per_request=2, balancer="activator", **case)
        chunks = np.array_split(np.arange(600), 6)
        known = [simulation.feed(arrivals[chunk], services[chunk], per_request=True) for chunk in chunks]
        simulation.finish()
        expected = plain.activated(arrivals, services, replicas=replicas, **case)
        found = [
            row for part in (*known, simulation.rest) for row in zip(part.arrival_s.tolist(), rows(part), strict=True)
        ]
        # Those that are refused are known before those that wait.
        assert sorted(map(str, found)) == sorted(map(str, zip(arrivals.tolist(), expected, strict=True)))
        outcomes |= {row[0] for row in expected}
    assert outcomes == {"served", "refused", "timed out"}


@pytest.mark.parametrize("replicas", [1, 3])
def test_an_activator_is_one_queue_with_several_servers(replicas: int) -> None:
    arrivals, services = traffic(7, 20_000, 1.0 * replicas)
    endless = ENDLESS | {"timeout_s": 86_400}
    simulation = Simulation(fixed(replicas), cores_per_request=1, balancer="activator", **endless)
    first = simulation.feed(arrivals, services, per_request=True)
    simulation.finish()
    waits = np.concatenate((first.wait_s, simulation.rest.wait_s))
    np.testing.assert_allclose(waits, Queue(replicas).feed(arrivals, services).wait_s, atol=1e-9)


@pytest.mark.parametrize("load", [0.5, 0.8])
@pytest.mark.parametrize("variation", [0.0, 0.5])
@pytest.mark.slow
def test_one_replica_waits_as_theory_says(load: float, variation: float) -> None:
    random = np.random.default_rng(3)
    simulation = Simulation(fixed(1), cores_per_request=2, **ENDLESS)
    now, waits = 0.0, []
    for _ in range(4):
        arrivals = now + np.cumsum(random.exponential(1 / load, 500_000))
        now = float(arrivals[-1])
        services = lognormal(random, 500_000) if variation else np.ones(500_000)
        waits.append(simulation.feed(arrivals, services, per_request=True).wait_s.mean())
    assert np.mean(waits) == pytest.approx(mg1_wait_s(load, variation), rel=0.015)


@pytest.mark.parametrize("places", [1, 2, 5])
@pytest.mark.slow
def test_one_replica_refuses_as_theory_says(places: int) -> None:
    load, random = 0.9, np.random.default_rng(4)
    arrivals = np.cumsum(random.exponential(1 / load, 1_000_000))
    simulation = Simulation(fixed(1), cores_per_request=2, **ENDLESS | {"queue": places})
    refused = simulation.feed(arrivals, random.exponential(1, 1_000_000), per_request=True).refused.mean()
    # The share of M/M/1/K that finds all places taken.
    assert refused == pytest.approx((1 - load) * load**places / (1 - load ** (places + 1)), rel=0.01)


def test_the_shortest_queue_is_between_one_queue_and_chance() -> None:
    random = np.random.default_rng(5)
    arrivals, services = np.cumsum(random.exponential(1 / 2.4, 400_000)), random.exponential(1, 400_000)
    waits = {}
    balancers: tuple[Balancer, ...] = ("activator", "least", "round-robin", "random")
    for balancer in balancers:
        simulation = Simulation(fixed(3), cores_per_request=2, balancer=balancer, **ENDLESS | {"timeout_s": 86_400})
        waits[balancer] = simulation.feed(arrivals, services, per_request=True).wait_s.mean()
    assert list(waits) == sorted(waits, key=waits.__getitem__)
    # Three replicas chosen by chance are three M/M/1 with a load of 0.8.
    assert waits["random"] == pytest.approx(mg1_wait_s(0.8, 1), rel=0.03)


def test_the_services_own_deadline_drops_what_waits_and_its_inference_goes_on() -> None:
    simulation = Simulation(fixed(1), cores_per_request=2, deadline_s=2.5)
    requests = simulation.feed([0, 0, 0, 0, 3.2], [2, 1, 1, 1, 1], per_request=True)
    # The second is answered with 504 after 2.5 s, and worked off until 3 s; the third and fourth never begin.
    np.testing.assert_array_equal(requests.latency_s, [2, np.nan, np.nan, np.nan, 1])
    np.testing.assert_array_equal(requests.wait_s, [0, 2, np.nan, np.nan, 0])
    np.testing.assert_array_equal(requests.timed_out, [False, True, True, True, False])
    assert simulation.finish(10).busy_s == 4


def test_a_request_that_timed_out_keeps_its_place_until_its_work_ends() -> None:
    simulation = Simulation(fixed(1), cores_per_request=2, queue=1, deadline_s=2)
    requests = simulation.feed([0, 2.5, 3], [3, 1, 1], per_request=True)
    assert requests.timed_out.tolist() == [True, False, False]
    assert requests.refused.tolist() == [False, True, False]
