"""Comparison with two other programs: SimFaaS, a simulator, and pacsltk, an analytical model of the same authors.

SimFaaS is given the same arrivals and service times, so that its answer must be ours. pacsltk's formulas are an
approximation: SimFaaS differs from it as much as our simulation does, so that its cold starts are only reported.
"""

from __future__ import annotations

import numpy as np

from planner.aws_lambda.simulation import Means, Simulation
from planner.validate import simfaas
from planner.validate.data import folder
from planner.validate.table import Comparison, compared

DATA = "ORACLES"
REQUESTS = 10_000  # by SimFaaS, some 5,000 a second
WARM_S, COLD_S = 2.0, 2.5


def compare() -> list[Comparison]:
    """Cold starts and instances; a quarter of a minute. Raises DataError."""
    where = folder(DATA)
    rows: list[Comparison] = []
    for rate in (0.01, 0.9):
        arrivals, services = simfaas.work(rate, REQUESTS)
        cold, instances = simfaas.simulate(where, arrivals, services)
        ours = simfaas.simulate_ours(arrivals, services)
        rows.append(compared("SimFaaS", f"{rate:g}/s: cold starts", cold, ours.cold, limit=0))
        rows.append(compared("SimFaaS", f"{rate:g}/s: mean instances", instances, ours.instances, limit=1e-6))
    model = simfaas.load(where, "pacsltk.perfmodel").get_sls_warm_count_dist
    for rate in (0.01, 0.1, 0.9, 5.0):
        exact, _ = model(rate, WARM_S, COLD_S, simfaas.RULES.idle_s)
        means = _simulate(rate)
        name = f"{rate:g}/s:"
        rows.append(compared("pacsltk", f"{name} running", exact["avg_running_count"], means.running, limit=0.01))
        rows.append(compared("pacsltk", f"{name} instances", exact["avg_server_count"], means.instances, limit=0.03))
        rows.append(compared("pacsltk", f"{name} cold-start probability", exact["cold_prob"], means.cold_probability))
    return rows


def _simulate(rate: float, *, requests: int = 1_000_000, chunks: int = 2) -> Means:
    """Means of a long run with exponential service times."""
    random, simulation, now = np.random.default_rng(8), Simulation(simfaas.RULES, since_s=2000), 0.0
    for _ in range(chunks):
        arrivals = now + np.cumsum(random.exponential(1 / rate, requests))
        now = float(arrivals[-1])
        warm_s, cold_s = (random.exponential(mean, requests) for mean in (WARM_S, COLD_S))
        simulation.feed(arrivals, warm_s, cold_s, per_request=True)
    return simulation.finish()[0]
