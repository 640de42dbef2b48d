"""The course project that this project is based on: four batches of nine simultaneous requests on two platforms.

Only the means of the batches are known, so the service times come from them: each mean is predicted with the warm time
that the other batches of its platform show. Lambda has one cold batch, whose mean is the cold time itself.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from planner.aws_lambda.rules import FIXED
from planner.aws_lambda.simulation import Simulation
from planner.queueing import Queue
from planner.validate.table import Comparison, compared

LAMBDA_S = (11.20, 2.82, 2.61, 2.50)
INSTANCES_S = (9.94, 9.65, 10.23, 9.82)
LIMIT = 0.10
TOGETHER, INSTANCES = 9, 2
BATCHES = len(LAMBDA_S)


def compare() -> list[Comparison]:
    """The eight means."""
    rows = [_compared("Lambda 3000 MB", number, LAMBDA_S, predicted_lambda(LAMBDA_S)) for number in range(BATCHES)]
    # The instances run before the first batch, so that there is no cold time.
    return rows + [
        _compared("two t3a.xlarge", number, INSTANCES_S, predicted_instances(INSTANCES_S)) for number in range(BATCHES)
    ]


def _compared(source: str, number: int, measured: Sequence[float], predicted: Sequence[float]) -> Comparison:
    figure = f"mean of batch {number + 1}"
    return compared(f"course, {source}", figure, measured[number], predicted[number], limit=LIMIT, unit="s")


def predicted_lambda(measured: Sequence[float]) -> list[float]:
    """Each mean from the cold time, the mean of the first batch, and the warm time of the other warm batches."""
    warm = [_others(measured[1:], number - 1) if number else measured[1] for number in range(len(measured))]
    return [lambda_means(measured[0], warm_s, len(measured))[number] for number, warm_s in enumerate(warm)]


def predicted_instances(measured: Sequence[float]) -> list[float]:
    """Each mean from the service time that explains the other batches."""
    per_service = statistics.mean(instance_means(1.0, len(measured)))
    times = [_others(measured, number) / per_service for number in range(len(measured))]
    return [instance_means(time_s, len(measured))[number] for number, time_s in enumerate(times)]


def _others(measured: Sequence[float], number: int) -> float:
    return statistics.mean([mean for at, mean in enumerate(measured) if at != number])


def lambda_means(cold_s: float, warm_s: float, batches: int) -> list[float]:
    """Means of batches on Lambda, each sent when the last one is answered; instances start as the rules say."""
    simulation, now, means = Simulation(FIXED), 0.0, []
    for _ in range(batches):
        requests, _ = simulation.feed(np.full(TOGETHER, now), [warm_s], [cold_s])
        means.append(float(requests.latency_s.mean()))
        now += float(requests.latency_s.max())
    return means


def instance_means(service_s: float, batches: int) -> list[float]:
    """Means of batches on instances that the load balancer uses in turn, one inference at a time on each."""
    queues = [Queue(1) for _ in range(INSTANCES)]
    now, means = 0.0, []
    for batch in range(batches):
        latencies: list[float] = []
        for turn, queue in enumerate(queues):
            size = len(range((turn - batch * TOGETHER) % INSTANCES, TOGETHER, INSTANCES))
            served = queue.feed(np.full(size, now), np.full(size, service_s))
            latencies += (served.end_s - served.arrival_s).tolist()
        means.append(statistics.mean(latencies))
        now += max(latencies)
    return means
