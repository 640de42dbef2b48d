"""Simulating a recorded run: request by request, or with random arrivals at its rate."""

from __future__ import annotations

import numpy as np

from planner.aws_lambda.rules import Rules
from planner.aws_lambda.simulation import Means, Simulation
from planner.types import Floats
from planner.validate.lambda_2020.records import Rate, Run

UNKNOWN_S = 700  # At the beginning of a run the instances of its warm-up are unknown.
LENGTH_S = 28 * 3600
SKIPPED_S = LENGTH_S / 4  # The study's means leave out the first quarter.


def replay(run: Run, rules: Rules, repetitions: int) -> list[Means]:
    """Means after the unknown beginning; the repetitions differ in the ages that instances reach."""
    warm_s, cold_s = busy_s(run)
    means = []
    for seed in range(repetitions):
        simulation = Simulation(rules, seed=seed, since_s=UNKNOWN_S)
        simulation.feed(run.start_s, warm_s, cold_s, per_request=True)
        means.append(simulation.finish(float(run.start_s[-1]))[0])
    return means


def busy_s(run: Run) -> tuple[Floats, Floats]:
    """How long an instance is busy with each request if it is warm, and if it is cold, seconds.

    An instance is free again at the end of the handler: of the requests that came up to 40 ms after it, 82% used it, of
    later ones at least 95%, of earlier ones at most 15%. What was not recorded of a request, because it was the other
    kind, is the median of that kind.
    """
    cold_s = run.client_s - run.network_s
    return (
        np.where(run.cold, np.median(run.handler_s[~run.cold]), run.handler_s),
        np.where(run.cold, cold_s, np.median(cold_s[run.cold])),
    )


def seen_instances(run: Run) -> float:
    """Mean instances as the study counts them: from the first request until 10 minutes after the last response."""
    until, total = float(run.start_s[-1]), 0.0
    for number in np.unique(run.instance):
        mine = run.instance == number
        begin, end = run.start_s[mine].min(), (run.start_s + run.client_s)[mine].max() + 600
        total += max(0.0, min(end, until) - max(begin, UNKNOWN_S))
    return total / (until - UNKNOWN_S)


def at_rate(rate: Rate, rules: Rules, network_s: float, repetitions: int) -> list[Means]:
    """Means of runs with Poisson arrivals; the repetitions differ in all random numbers.

    `network_s` is what the network adds to the time in which an instance is busy.
    """
    random = np.random.default_rng(2020)
    warm_s, cold_s = [rate.warm_s - network_s], [rate.cold_s - network_s]
    means = []
    for seed in range(repetitions):
        arrivals = np.sort(random.uniform(0, LENGTH_S, random.poisson(rate.arrivals_per_s * LENGTH_S)))
        simulation = Simulation(rules, seed=seed, since_s=SKIPPED_S)
        simulation.feed(arrivals, warm_s, cold_s)
        means.append(simulation.finish(LENGTH_S)[0])
    return means


def cold_probability(means: list[Means]) -> float:
    """Cold starts per request over all repetitions."""
    return sum(one.cold for one in means) / sum(one.requests for one in means)
