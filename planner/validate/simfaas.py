"""Running SimFaaS over given arrivals and service times, so that it does the same work as our simulation."""

from __future__ import annotations

import contextlib
import importlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from planner.aws_lambda.rules import Rules
from planner.aws_lambda.simulation import Means, Simulation
from planner.errors import DataError
from planner.types import Floats

# SimFaaS's rules: one idle time, and the instance created last goes first.
RULES = Rules(idle_s=600, pick="newest")


def load(folder: Path, module: str) -> Any:
    """A module of the packages in a folder; raises DataError."""
    with _importable(folder):
        try:
            return importlib.import_module(module)
        except ImportError as exc:
            raise DataError(f"{folder}: {exc}; pip install --target {folder} -r requirements/oracles.txt") from None


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Packages of the folder can be imported; those of this environment go first, their warnings are not ours."""
    sys.path.append(str(folder))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.path.remove(str(folder))


class _Given:
    """A process whose times are given, in the order in which SimFaaS asks for them; infinity after the last."""

    def __init__(self, times: Floats) -> None:
        self._times = iter(times.tolist())

    def generate_trace(self) -> float:
        """The next time."""
        return next(self._times, float("inf"))


def simulate(folder: Path, arrivals: Floats, service_s: Floats) -> tuple[int, float]:
    """Cold starts and mean instances by SimFaaS; a cold request takes as long as a warm one.

    `arrivals` and `service_s` are arrays `(N,)`, seconds. The mean is over the time until the last arrival.
    """
    simulator = load(folder, "simfaas.ServerlessSimulator").ServerlessSimulator
    services = _Given(service_s)  # One for both kinds, so that each request gets its own time.
    run = simulator(
        arrival_process=_Given(np.diff(arrivals, prepend=0.0)), warm_service_process=services,
        cold_service_process=services, expiration_threshold=RULES.idle_s, max_time=float(arrivals[-1]) - 1e-6,
        maximum_concurrency=RULES.concurrency,
    )  # fmt: skip
    run.generate_trace()
    return int(run.total_cold_count), float(run.get_average_server_count())


def simulate_ours(arrivals: Floats, service_s: Floats) -> Means:
    """The same by our simulation."""
    simulation = Simulation(RULES)
    simulation.feed(arrivals, service_s, service_s, per_request=True)
    return simulation.finish()[0]


def work(rate_per_s: float, requests: int) -> tuple[Floats, Floats]:
    """Poisson arrivals, and exponential service times with a mean of 2 s."""
    random = np.random.default_rng(7)
    return np.cumsum(random.exponential(1 / rate_per_s, requests)), random.exponential(2, requests)
