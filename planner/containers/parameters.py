"""What a simulation of replicas is given besides the rules of the platform, with bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from loadtest.cost.prices import Burstable
from planner.containers import balanced
from planner.errors import RulesError
from planner.scaling.books import Book
from planner.scaling.rules import MOST_SECONDS_OF_RULES, HpaRules, KnativeRules
from serving.settings import Settings

Balancer = Literal["least", "random", "round-robin", "activator"]

# https://github.com/knative/serving/blob/main/pkg/activator/net/throttler.go
ACTIVATOR_QUEUE = 10_000
MOST_PLACES = 2_000_000  # One takes 24 bytes.
_BALANCERS: dict[Balancer, int] = {
    "least": balanced.LEAST,
    "random": balanced.RANDOM,
    "round-robin": balanced.ROUND_ROBIN,
    "activator": balanced.ACTIVATOR,
}

_settings = Settings.model_fields
MAX_QUEUE: int = _settings["max_queue"].default
REQUEST_TIMEOUT_S: float = _settings["request_timeout_s"].default


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The service and its load balancer as `Simulation` describes them; raises RulesError.

    None stands for what the platform of the book does.
    """

    book: Book
    cores_per_request: float
    overhead_s: float
    queue: int | None
    timeout_s: float
    deadline_s: float
    balancer: Balancer | None
    burst: Burstable | None
    since_s: float
    step_s: int
    replicas: int | None

    def __post_init__(self) -> None:
        rules = self.book.scaler
        waits = MOST_SECONDS_OF_RULES if self.chosen_balancer == "activator" else math.inf
        bounds = (
            ("cores_per_request", self.cores_per_request, 1e-6, 1024),
            ("overhead_s", self.overhead_s, 0, MOST_SECONDS_OF_RULES),
            ("timeout_s", self.timeout_s, 1e-3, waits),
            ("deadline_s", self.deadline_s, 1e-3, math.inf),
            ("since_s", self.since_s, 0, 1e9),
            ("step_s", self.step_s, 1, MOST_SECONDS_OF_RULES),
            ("queue", self.places, 1, MOST_PLACES // (1 if waits < math.inf else rules.max_replicas)),
            ("replicas", self.count, rules.min_replicas, rules.max_replicas),
        )
        for name, value, least, most in bounds:
            if not least <= value <= most:
                raise RulesError(
                    f"{name} is {value:,.12g}, and must be from {least:,g} to {most:,.12g} for {self.book.title}"
                )
        if (balancer := self.chosen_balancer) not in _BALANCERS:
            raise RulesError(f"the balancer is {balancer!r}, and must be one of {', '.join(_BALANCERS)}")
        if isinstance(rules, KnativeRules) and balancer != "activator":
            raise RulesError(f"the balancer is {balancer}, but Knative's is the activator: leave balancer out")

        if self.burst and self.book.instances is None:
            raise RulesError(f"{self.book.title} has no instances, so none have CPU credits: leave burst out")

    @property
    def chosen_balancer(self) -> Balancer:
        """That of the platform by default: the activator, kube-proxy, or an application load balancer."""
        if self.balancer is not None:
            return self.balancer
        if isinstance(self.book.scaler, KnativeRules):
            return "activator"
        return "random" if isinstance(self.book.scaler, HpaRules) else "least"

    @property
    def places(self) -> int:
        """Requests in work or waiting at a replica, or waiting in the activator."""
        if self.queue is not None:
            return self.queue
        return ACTIVATOR_QUEUE if self.chosen_balancer == "activator" else MAX_QUEUE

    @property
    def count(self) -> int:
        """The replicas at the start."""
        return self.book.scaler.min_replicas if self.replicas is None else self.replicas

    @property
    def rate(self) -> float:
        """The cores that a replica uses during an inference."""
        return min(self.cores_per_request, self.book.replica.cores)

    @property
    def limits(self) -> balanced.Limits:
        """The same as numbers for the compiled loops."""
        return balanced.Limits(
            _BALANCERS[self.chosen_balancer], self.places, float(self.timeout_s), float(self.deadline_s),
            float(self.overhead_s),
        )  # fmt: skip
