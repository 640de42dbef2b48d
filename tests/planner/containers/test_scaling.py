"""Replicas that come and go: by a timeline made by hand, and as planner.scaling simulates them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.containers.simulation import Simulation
from planner.scaling.books import Book, load_book
from planner.scaling.rules import KnativeRules
from planner.scaling.simulate import simulate
from tests.planner.containers.books import book, knative, tracking

SLOW: dict[str, Any] = {"queue": 1000, "timeout_s": 1e6, "deadline_s": 1e6}


def test_a_replica_that_is_added_takes_requests_from_the_second_in_which_it_is_ready() -> None:
    simulation = Simulation(tracking(max_replicas=2), cores_per_request=2, step_s=1, **SLOW)
    arrivals = np.arange(240) / 2
    requests = simulation.feed(arrivals, [0.75])
    # One replica falls behind by 0.25 s per request. At 60 s its CPU is at 100%, at 90 s the second one is ready.
    np.testing.assert_allclose(requests.wait_s[:180], np.arange(180) / 4)
    # Until it has as many requests as the first one, it gets all.
    np.testing.assert_allclose(requests.wait_s[180:], np.arange(60) / 4)
    simulation.finish(120)
    timeline = simulation.timeline
    assert timeline.wanted.tolist() == [1] * 59 + [2] * 61
    assert timeline.ready.tolist() == [1] * 89 + [2] * 31
    assert timeline.arrivals.tolist() == [2] * 120


def test_load_that_ends_removes_replicas_after_the_rules_delay() -> None:
    simulation = Simulation(tracking(max_replicas=2), cores_per_request=2, step_s=60)
    simulation.feed(np.arange(600) / 2, [0.375])
    usage = simulation.finish(600)
    # 75% in the first minute asks for two; the minutes until 300 s and 360 s are below 45%.
    assert simulation.timeline.wanted.tolist() == [2, 2, 2, 2, 2, 1, 1, 1, 1, 1]
    assert usage.replica_s == usage.instance_s == 600 + (360 - 60)
    assert usage.busy_s == pytest.approx(600 * 0.375)
    assert (usage.requests, usage.most_replicas, usage.most_instances) == (600, 2, 2)


def test_instances_are_launched_before_replicas_have_a_place() -> None:
    rules = {"min_replicas": 1, "max_replicas": 2, "tasks_each": 1, "boot_s": 90, "in_points": 2, "warmup_s": 0}
    simulation = Simulation(tracking(rules, max_replicas=2), cores_per_request=2, step_s=30)
    simulation.feed(np.arange(1200) / 2, [0.375])
    usage = simulation.finish(600)
    timeline = simulation.timeline
    # At 60 s a second task is wanted and an instance launched, up at 150 s; the task is ready 30 s later.
    assert timeline.wanted[:7].tolist() == [1, 2, 2, 2, 2, 2, 2]
    assert timeline.instances[:7].tolist() == [1, 2, 2, 2, 2, 2, 2]
    assert timeline.ready[:7].tolist() == [1, 1, 1, 1, 1, 2, 2]
    assert usage.instance_s == 600 + 540
    assert usage.replica_s == 600 + 450


DRAIN = book(
    {"kind": "step", "min_replicas": 1, "max_replicas": 2, "delay_s": 0,
     "steps": [{"when": "below", "percent": 60, "points": 1, "exactly": 1}]},
)  # fmt: skip


def test_a_replica_that_is_removed_finishes_what_it_has_and_gets_nothing_new() -> None:
    simulation = Simulation(DRAIN, cores_per_request=2, replicas=2, timeout_s=100, deadline_s=100)
    requests = simulation.feed([50, 50, 60.5, 61], [30, 30, 1, 2], per_request=True)
    # At 60 s one replica is removed, which works until 80 s; the other one does the rest.
    assert requests.latency_s.tolist() == [30, 30, 20.5, 22]
    usage = simulation.finish(100)
    assert usage.replica_s == 100 + 80
    assert usage.busy_s == 30 + 30 + 1 + 2
    assert not requests.refused.any() and not requests.timed_out.any()


def test_a_load_balancer_without_replicas_refuses() -> None:
    rules = {"kind": "step", "min_replicas": 0, "max_replicas": 2, "delay_s": 0,
             "steps": [{"when": "above", "percent": 60, "points": 1, "change": 1}]}  # fmt: skip
    simulation = Simulation(book(rules), cores_per_request=2)
    assert simulation.feed([1, 2], [1]).refused.tolist() == [True, True]
    assert simulation.finish(60).refused == 2


def test_knative_starts_a_replica_for_the_first_request_and_lets_it_wait() -> None:
    simulation = Simulation(knative(utilization=1), cores_per_request=1)
    now = simulation.feed([100.25], [0.5])
    assert now.arrival_s.size == 0
    # The activator reports at 101 s; 30 s later the replica is ready.
    later = simulation.feed([200], [0.5])
    np.testing.assert_array_equal(later.arrival_s, [100.25, 200])
    np.testing.assert_array_equal(later.wait_s, [30.75, 0])
    np.testing.assert_array_equal(later.latency_s, [31.25, 0.5])
    usage = simulation.finish(1000)
    # The last request leaves the window of a minute at 261 s, and the last replica stays for 30 s after a decision.
    assert usage.replica_s == 292 - 101
    assert usage.most_replicas == 1
    assert simulation.timeline.wanted[[0, 1, 2, 3, 5, 9]].tolist() == [0, 1, 1, 1, 0, 0]


def test_knative_drops_what_has_waited_too_long_for_a_replica() -> None:
    simulation = Simulation(knative(), cores_per_request=1, timeout_s=20)
    assert simulation.feed([100.25], [0.5]).arrival_s.size == 0
    usage = simulation.finish(110)
    assert (usage.requests, usage.timed_out, usage.busy_s) == (1, 1, 0)
    assert simulation.rest.timed_out.tolist() == [True]
    assert np.isnan(simulation.rest.latency_s).all() and np.isnan(simulation.rest.wait_s).all()


def test_knative_refuses_what_exceeds_the_activators_queue() -> None:
    simulation = Simulation(knative(), cores_per_request=1, queue=2)
    assert simulation.feed([5, 5, 5, 5], [0.5]).refused.tolist() == [True, True]
    usage = simulation.finish()
    assert (usage.requests, usage.refused, usage.timed_out) == (4, 2, 0)
    np.testing.assert_allclose(simulation.rest.wait_s, [31, 31.5])


def test_knative_sees_what_waits_in_the_activator() -> None:
    """Ten requests wait for the first replica, so more than one is started."""
    simulation = Simulation(knative(max_replicas=20), cores_per_request=1, step_s=1)
    simulation.feed(np.full(10, 5.0), [1.0])
    simulation.finish(60)
    # Concurrency 10 at 0.7 each; at 10 s it is the mean of 10 s, of which 5 had none.
    assert simulation.timeline.wanted[5] >= 1
    assert simulation.timeline.wanted.max() == 15


def evenly(counts: np.ndarray) -> np.ndarray:
    """So many arrivals in each second, which are done before its end."""
    return np.concatenate([second + 0.01 + np.arange(count) / count for second, count in enumerate(counts) if count])


SERVICE_S = 0.05037  # Not a multiple of what the HPA rounds to.


def without_zero(name: str) -> Book:
    """The rules of a platform; where there are no replicas, requests wait, which demand does not."""
    rules = load_book(name)
    if not isinstance(rules.scaler, KnativeRules):
        return rules
    return rules.model_copy(
        update={"scaler": rules.scaler.model_copy(update={"min_replicas": 1, "target_concurrency": 0.5})}
    )


@pytest.mark.parametrize(
    "name", ["ecs", "ecs-20s", "ecs-idle", "fargate", "kubernetes", "kubernetes-default", "knative"]
)
def test_replicas_over_time_are_those_of_a_demand_where_the_queue_does_not_matter(name: str) -> None:
    rules = without_zero(name)
    counts = np.repeat(np.random.default_rng(2).choice([0, 2, 10, 16], 12), 400)
    scaler = rules.scaler
    cores = scaler.cores_per_request if isinstance(scaler, KnativeRules) else rules.replica.cores
    simulation = Simulation(rules, cores_per_request=cores, step_s=1)
    requests = simulation.feed(evenly(counts), [SERVICE_S])
    simulation.finish(len(counts))
    expected = simulate(counts * SERVICE_S * cores, rules)
    timeline = simulation.timeline
    np.testing.assert_array_equal(timeline.wanted, expected.wanted)
    np.testing.assert_array_equal(timeline.ready, expected.ready)
    np.testing.assert_array_equal(timeline.instances, expected.instances)
    assert requests.wait_s.max() == 0
    assert timeline.wanted.max() > timeline.wanted.min()
