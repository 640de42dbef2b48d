"""CPU credits of burstable instances: an instance earns half a vCPU here, and uses two while it infers."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.cost.prices import Burstable, load_prices
from planner.containers.credits import Credits
from planner.containers.simulation import Simulation
from planner.scaling.books import load_book
from planner.scaling.rules import InstanceRules
from tests.planner.containers.books import tracking

BURST = load_prices().burstable["t3a.xlarge"].model_copy(update={"vcpus": 2, "baseline": 0.25})
ONE = {"min_replicas": 1, "max_replicas": 1, "tasks_each": 1, "boot_s": 90}
TWO = {"min_replicas": 1, "max_replicas": 2, "tasks_each": 2, "boot_s": 90}


def surplus(busy_s: int, until_s: float, instances: dict[str, float], *, burst: Burstable = BURST) -> float:
    """What is charged if all replicas are busy for some seconds; as many as have a place on one instance."""
    replicas = int(instances["tasks_each"])
    rules = tracking(instances, min_replicas=replicas, max_replicas=replicas)
    simulation = Simulation(rules, cores_per_request=2, balancer="round-robin", burst=burst)
    simulation.feed(np.repeat(np.arange(busy_s), replicas), [1.0])
    return simulation.finish(until_s).surplus_vcpu_s


@pytest.mark.parametrize(
    ("busy_s", "until_s", "instances", "charged"),
    [
        pytest.param(100, 100, ONE, 150, id="use beyond the baseline"),
        pytest.param(100, 200, ONE, 100, id="what is earned later pays back"),
        pytest.param(100, 1000, ONE, 0, id="all is paid back"),
        pytest.param(100, 100, TWO, 350, id="two tasks on an instance"),
        # A day earns 43,200; what is used beyond that is charged at once and cannot be paid back.
        pytest.param(36_000, 36_000 + 86_400, ONE, 1.5 * 36_000 - 43_200, id="more than the earnings of a day"),
    ],
)
def test_surplus(busy_s: int, until_s: float, instances: dict[str, float], charged: float) -> None:
    assert surplus(busy_s, until_s, instances) == pytest.approx(charged)


def test_credits_are_earned_before_they_are_spent_but_only_those_of_a_day() -> None:
    simulation = Simulation(tracking(ONE, max_replicas=1), cores_per_request=2, burst=BURST)
    simulation.feed(201_600 + np.arange(36_000), [1.0])
    assert simulation.finish(237_600).surplus_vcpu_s == pytest.approx(1.5 * 36_000 - 43_200)


def test_an_instance_that_is_terminated_pays_and_its_successor_begins_without_credits() -> None:
    credits = Credits(BURST, InstanceRules.model_validate(ONE | {"max_replicas": 2}), 2.0)
    busy, idle = np.array([100.0, 100.0]), np.zeros(2)
    assert credits.spend(100, 2, busy) == 0
    assert credits.owed == 300
    assert credits.spend(100, 1, idle) == 150
    assert credits.owed == 100
    assert credits.spend(100, 2, busy) == 0
    assert credits.owed == 250 + 150


def test_without_burst_nothing_is_charged() -> None:
    simulation = Simulation(load_book("ecs"), cores_per_request=3.5)
    simulation.feed(np.arange(1000), [1.0])
    assert simulation.finish().surplus_vcpu_s == 0
