"""Comparison with queueing theory: what can be computed exactly must be simulated within 1%."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from planner.aws_lambda.rules import Rules
from planner.aws_lambda.simulation import Means, Simulation
from planner.queueing import Queue
from planner.types import Floats
from planner.validate.table import Comparison, compared

LIMIT = 0.01
CHUNK = 1_000_000
SEED = 14

# Service times with mean 1 s.
Services = Callable[[np.random.Generator, int], Floats]


def exponential(random: np.random.Generator, size: int) -> Floats:
    """Exponential service times."""
    return random.exponential(1, size)


def constant(_: np.random.Generator, size: int) -> Floats:
    """Service times that are all equal."""
    return np.ones(size)


def lognormal(random: np.random.Generator, size: int) -> Floats:
    """Service times with the coefficient of variation 0.5, as times of a warm Lambda may have."""
    sigma2 = math.log(1 + 0.5**2)
    return random.lognormal(-sigma2 / 2, math.sqrt(sigma2), size)


def erlang_b(load: float, servers: int) -> float:
    """The share of requests that `servers` servers without a queue refuse (A. K. Erlang, 1917)."""
    inverse = 1.0
    for k in range(1, servers + 1):
        inverse = 1 + inverse * k / load
    return 1 / inverse


def erlang_c(load: float, servers: int) -> float:
    """The share of requests that must wait for one of `servers` servers."""
    blocked = erlang_b(load, servers)
    return blocked / (1 - load / servers * (1 - blocked))


def mmc_wait_s(load: float, servers: int) -> float:
    """The mean wait of M/M/c with a mean service time of 1 s."""
    return erlang_c(load, servers) / (servers - load)


def mg1_wait_s(load: float, variation: float) -> float:
    """The mean wait of M/G/1 with a mean service time of 1 s (Pollaczek-Khinchine)."""
    return load * (1 + variation**2) / (2 * (1 - load))


def compare() -> list[Comparison]:
    """Mean waits, losses and busy servers; a quarter of a minute."""
    rows: list[tuple[str, float, float, str]] = []
    for load, servers in ((0.5, 1), (0.8, 1), (2.4, 3), (8.0, 10), (45.0, 50)):
        found = simulated_wait_s(load, servers, exponential)
        rows.append((f"M/M/{servers}, load {load:g}: mean wait", mmc_wait_s(load, servers), found, "s"))
    for load in (0.5, 0.8):
        rows.append((f"M/D/1, load {load:g}: mean wait", mg1_wait_s(load, 0), simulated_wait_s(load, 1, constant), "s"))
        found = simulated_wait_s(load, 1, lognormal)
        rows.append((f"M/G/1, load {load:g}, lognormal: mean wait", mg1_wait_s(load, 0.5), found, "s"))
    for load, servers in ((2.0, 4), (8.0, 10)):
        found = simulated_loss(load, servers, lognormal)
        rows.append((f"M/G/{servers}/{servers}, load {load:g}: refused", erlang_b(load, servers), found, ""))
        means = simulated_function(load, servers)
        rows.append((f"Lambda, load {load:g}, concurrency {servers}: throttled", erlang_b(load, servers),
                     means.throttled / means.requests, ""))  # fmt: skip
    for load in (0.5, 20.0):
        rows.append((f"M/G/infinity, load {load:g}: busy instances", load, simulated_function(load, 1000).running, ""))
    return [compared("theory", figure, exact, found, limit=LIMIT, unit=unit) for figure, exact, found, unit in rows]


def simulated_wait_s(load: float, servers: int, services: Services, *, chunks: int = 8) -> float:
    """The mean wait of the simulated queue; long queues vary much, so they are simulated for longer."""
    random, queue = np.random.default_rng(SEED), Queue(servers)
    now, waits = 0.0, []
    for _ in range(chunks * (2 if load / servers > 0.7 else 1)):
        arrivals = now + np.cumsum(random.exponential(1 / load, CHUNK))
        now = float(arrivals[-1])
        waits.append(float(queue.feed(arrivals, services(random, CHUNK)).wait_s.mean()))
    return float(np.mean(waits))


def simulated_loss(load: float, servers: int, services: Services, *, chunks: int = 2) -> float:
    """The share of requests that the simulated queue without a place to wait refuses."""
    random, queue = np.random.default_rng(SEED), Queue(servers, waiting=0)
    now, lost = 0.0, []
    for _ in range(chunks):
        arrivals = now + np.cumsum(random.exponential(1 / load, CHUNK))
        now = float(arrivals[-1])
        lost.append(float(queue.feed(arrivals, services(random, CHUNK)).refused.mean()))
    return float(np.mean(lost))


def simulated_function(load: float, concurrency: int, *, chunks: int = 2) -> Means:
    """Means of the simulated Lambda; cold requests take as long as warm ones, so that theory applies."""
    random = np.random.default_rng(SEED)
    simulation = Simulation(Rules(concurrency=concurrency, burst_s=0), seed=SEED, since_s=100)
    now = 0.0
    for _ in range(chunks):
        arrivals = now + np.cumsum(random.exponential(1 / load, CHUNK))
        now = float(arrivals[-1])
        times = lognormal(random, CHUNK)
        simulation.feed(arrivals, times, times, per_request=True)
    return simulation.finish()[0]
