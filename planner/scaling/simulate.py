"""Replicas over time under a demand: the platform's rules, second by second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.errors import TrafficError
from planner.scaling.books import Book
from planner.scaling.fleet import Fleet
from planner.scaling.instances import CapacityProvider
from planner.scaling.kubernetes import HpaScaler
from planner.scaling.policy import PolicyScaler, new_policy
from planner.scaling.rules import HpaRules, Replica, ScalerRules

MOST_SECONDS = 100 * 86_400
MOST_CORES = 1e6

Counts = NDArray[np.int32]


class Scaler(Protocol):
    """What decides the number of replicas."""

    @property
    def next_s(self) -> float:
        """The next second at which something is measured or decided."""
        ...

    def advance(self, ticks: Sequence[float], demand: Sequence[float], use: Sequence[float], fleet: Fleet) -> int:
        """The replicas wanted at the last of these ticks, none of which but the last is at or after `next_s`.

        `demand` is in cores, and `use` is what each ready replica used, in each tick.
        """
        ...


@dataclass(frozen=True)
class Timeline:
    """Replicas at the end of each second, (S,) each: wanted, ready, and instances (or replicas, without instances)."""

    wanted: Counts
    ready: Counts
    instances: Counts


class Simulation:
    """A service on a platform, advanced from one decision to the next; for a caller who knows the CPU use of each tick.

    A tick is named by the second at which it ends.
    """

    def __init__(self, book: Book, replicas: int | None = None, scaler: Scaler | None = None) -> None:
        count = book.scaler.min_replicas if replicas is None else replicas
        self.instances = CapacityProvider(book.instances, count) if book.instances else None
        self.fleet = Fleet(book.replica, count, self.instances.slots(0) if self.instances else float("inf"))
        self.scaler = scaler or scaler_of(book.scaler, book.replica)

    @property
    def hosts(self) -> int:
        """The number of instances; that of replicas where the platform has none."""
        return self.instances.count if self.instances else len(self.fleet)

    def ready(self, now_s: float) -> int:
        """The number of replicas that are ready at a time; times must not decrease."""
        return self.fleet.ready(now_s)

    def last_tick(self, first: int) -> int:
        """The last of the ticks of a second each, from `first` on, until which nothing changes."""
        self.fleet.ready(first)
        decided = min(self.scaler.next_s, self.instances.next_s if self.instances else math.inf)
        return max(first, math.ceil(min(decided, self.fleet.next_s - 1, MOST_SECONDS)))

    def advance(self, ticks: Sequence[float], demand: Sequence[float], use: Sequence[float]) -> int:
        """Decide at the last of these ticks, in each of which a ready replica used `use` cores; returns the wanted."""
        wanted = self.scaler.advance(ticks, demand, use, self.fleet)
        self.change(wanted, ticks[-1])
        return wanted

    def change(self, wanted: int, now_s: float, hosts: int | None = None) -> None:
        """Have as many replicas as are wanted, and as many instances, if that is decided already."""
        if wanted != len(self.fleet):
            self.fleet.scale(wanted, now_s)
        if self.instances is None:
            return
        decided = self.instances.decide(now_s, self.fleet) if hosts is None else hosts
        if self.instances.change(decided, now_s, self.fleet):
            self.fleet.place(now_s)


def scaler_of(rules: ScalerRules, replica: Replica) -> Scaler:
    """The autoscaler that follows these rules."""
    return HpaScaler(rules, replica) if isinstance(rules, HpaRules) else PolicyScaler(new_policy(rules, replica))


def simulate(demand_cores: ArrayLike, book: Book, *, replicas: int | None = None) -> Timeline:
    """Replicas over time under a demand, (S,) cores per second, with `replicas` ready at the start or else the minimum.

    Demand is shared evenly by the ready replicas, each up to its cores; what exceeds them does not wait for later.
    Raises TrafficError.
    """
    demand = checked(demand_cores)
    bounds = book.scaler
    if replicas is not None and not bounds.min_replicas <= replicas <= bounds.max_replicas:
        limits = f"from {bounds.min_replicas} to {bounds.max_replicas}"
        raise TrafficError(f"{replicas} replicas at the start are outside the rules of {book.title}: take {limits}")
    simulation = Simulation(book, replicas)
    wanted, ready, instances = (np.empty(len(demand), np.int32) for _ in range(3))
    done = 0
    while done < len(demand):
        end = min(simulation.last_tick(done + 1), len(demand))
        part, span = demand[done:end].tolist(), slice(done, end)
        count = simulation.ready(done + 1)
        wanted[span], ready[span], instances[span] = len(simulation.fleet), count, simulation.hosts
        use = [min(cores / count, book.replica.cores) for cores in part] if count else [0.0] * len(part)
        wanted[end - 1] = simulation.advance(range(done + 1, end + 1), part, use)
        ready[end - 1], instances[end - 1] = simulation.ready(end), simulation.hosts
        done = end
    return Timeline(wanted, ready, instances)


def checked(demand_cores: ArrayLike) -> NDArray[np.float64]:
    """The demand as an array (S,) of cores; raises TrafficError."""
    demand = np.asarray(demand_cores, np.float64)
    if demand.ndim != 1 or not 1 <= len(demand) <= MOST_SECONDS:
        raise TrafficError(f"the demand has shape {demand.shape}: give one number a second, at most {MOST_SECONDS}")
    wrong = ~((demand >= 0) & (demand <= MOST_CORES))
    if wrong.any():
        second = int(wrong.argmax())
        raise TrafficError(
            f"the demand at second {second} is {demand[second]:g}: give cores from 0 to {MOST_CORES:.0f}"
        )
    return demand
