"""Books with other values, and CPU credits of burstable instances."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.cost.prices import Burstable, load_prices
from planner.containers.changes import SEARCHED, with_changes
from planner.containers.simulation import Simulation
from planner.errors import RulesError
from planner.scaling.books import load_book
from tests.planner.containers.books import tracking


def test_changed_values_are_said_to_be_searched_and_the_others_keep_their_sources() -> None:
    book = load_book("ecs")
    changed = with_changes(book, min_replicas=2, max_replicas=8, target_percent=50, cores=1)
    assert (changed.scaler.min_replicas, changed.scaler.max_replicas) == (2, 8)
    assert (changed.replica.cores, changed.replica.request_cores) == (1, 1)
    assert changed.instances is not None and changed.instances.max_replicas == 8
    sources = {one.name: one.source for one in changed.assumptions()}
    old = {one.name: one.source for one in book.assumptions()}
    searched = {name for name, source in sources.items() if source == SEARCHED}
    assert searched == {
        "scaler.min_replicas", "scaler.max_replicas", "scaler.target_percent", "replica.cores", "replica.request_cores",
        "instances.max_replicas",
    }  # fmt: skip
    assert all(sources[name] == old[name] for name in set(sources) - searched)


def test_without_changes_a_book_stays_as_it_is() -> None:
    assert with_changes(load_book("fargate")) == load_book("fargate")


@pytest.mark.parametrize("changes", [{"min_replicas": 9}, {"max_replicas": 0}, {"target_percent": -1}, {"cores": 0}])
def test_changes_out_of_range_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(RulesError, match="cannot be changed"):
        with_changes(load_book("ecs"), **changes)  # type: ignore[arg-type]


def surplus(inference_s: float, seconds: int, *, replicas: int = 1) -> float:
    """Surplus of an instance of two processors and a baseline of 30%, each inference on two processors."""
    price = load_prices().burstable["t3a.large"]
    burst = Burstable(**{**price.model_dump(), "vcpus": 2, "baseline": 0.3})
    instances = {"min_replicas": replicas, "max_replicas": replicas, "tasks_each": 1, "boot_s": 90}
    book = tracking(instances, min_replicas=replicas, max_replicas=replicas)
    simulation = Simulation(book, cores_per_request=2, burst=burst)
    simulation.feed(np.arange(seconds, dtype=float), [inference_s])
    return simulation.finish(seconds).surplus_vcpu_s


def test_use_below_the_baseline_has_no_surplus() -> None:
    assert surplus(0.29, 3600) == 0


def test_use_beyond_the_baseline_is_surplus() -> None:
    # An hour at 80% of two processors, of which 30% are earned.
    assert surplus(0.8, 3600) == pytest.approx(3600 * 2 * (0.8 - 0.3), rel=0.01)


def test_replicas_on_several_instances_share_no_credits() -> None:
    # Two instances at 40% each, as the load balancer shares the requests.
    assert surplus(0.8, 3600, replicas=2) == pytest.approx(2 * 3600 * 2 * (0.4 - 0.3), rel=0.05)
