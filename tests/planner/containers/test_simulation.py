"""The simulation as a whole: chunks, seeds, conservation, memory, and what it refuses to simulate."""

from __future__ import annotations

import re
import tracemalloc
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest

from loadtest.cost.prices import load_prices
from planner.containers.clock import Clock
from planner.containers.parameters import MAX_QUEUE, REQUEST_TIMEOUT_S
from planner.containers.simulation import Requests, Simulation
from planner.containers.timeline import Timeline
from planner.containers.usage import Usage
from planner.errors import RulesError, TrafficError
from planner.scaling.books import Book, load_book, names
from planner.scaling.kubernetes import HpaScaler
from planner.types import Floats
from serving.settings import Settings
from tests.planner.containers.books import fixed, knative

SAMPLES = [0.2, 0.25, 0.3, 0.9]
BURST = load_prices().burstable["t3a.xlarge"]


def bursts(size: int) -> Floats:
    """Arrivals that come in waves of minutes, with pauses."""
    random = np.random.default_rng(6)
    rates = np.repeat(random.choice([0.3, 3, 12, 25], size // 500 + 1), 500)[:size]
    gaps = random.exponential(1 / rates)
    gaps[::4000] += 900
    return np.cumsum(gaps)


def simulated(name: str, arrivals: Floats, chunks: int, seed: int = 0) -> tuple[Requests, Usage, Timeline]:
    """The requests of all chunks in the order of their arrival, and the end."""
    return of_book(load_book(name), arrivals, chunks, seed)


def of_book(book: Book, arrivals: Floats, chunks: int, seed: int = 0) -> tuple[Requests, Usage, Timeline]:
    """The same by the rules of a book."""
    burst = BURST if book.instances else None
    simulation = Simulation(book, cores_per_request=1.7, overhead_s=0.1, burst=burst, seed=seed, since_s=1000.5)
    parts = [simulation.feed(part, SAMPLES) for part in np.array_split(arrivals, chunks)]
    usage = simulation.finish(arrivals[-1] + 100.25)
    columns = [np.concatenate(column) for column in zip(*map(astuple, (*parts, simulation.rest)), strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Requests(*(column[order] for column in columns)), usage, simulation.timeline


@pytest.mark.parametrize("name", names())
@pytest.mark.slow
def test_chunks_make_no_difference(name: str) -> None:
    arrivals = bursts(20_000)
    one, many = simulated(name, arrivals, 1), simulated(name, arrivals, 1237)
    np.testing.assert_equal(astuple(many[0]), astuple(one[0]))
    assert many[1] == one[1]
    np.testing.assert_equal(astuple(many[2]), astuple(one[2]))


@pytest.mark.parametrize("name", names())
@pytest.mark.slow
def test_the_compiled_loop_gives_what_single_decisions_give(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arrivals = bursts(20_000)
    long = simulated(name, arrivals, 3)
    monkeypatch.setattr(Clock, "_stride", lambda _self, _chunk, first, **_: first)
    single = simulated(name, arrivals, 3)
    np.testing.assert_equal(astuple(long[0]), astuple(single[0]))
    assert long[1] == single[1]
    np.testing.assert_equal(astuple(long[2]), astuple(single[2]))


SLOW_UP = {"policies": ({"type": "Pods", "value": 1, "period_s": 60},), "select": "Min", "stabilization_s": 45}
HPAS: dict[str, dict[str, dict[str, Any]]] = {
    "at least two replicas": {"scaler": {"min_replicas": 2}},
    "many replicas, two on each instance": {
        "scaler": {"max_replicas": 20, "target_percent": 50}, "instances": {"max_replicas": 10, "tasks_each": 2},
    },
    "times that are not whole seconds": {
        "scaler": {"sync_s": 7.3, "first_sync_s": 0, "window_s": 10.7, "first_window_s": 0.4},
        "replica": {"pending_s": 3.3, "startup_s": 13.5},
    },
    "replicas that are ready at once": {"replica": {"pending_s": 0, "startup_s": 0}},
    "a slow way up": {"scaler": {"behavior": {"up": SLOW_UP}}},
    "no behavior": {"scaler": {"behavior": None}},
}  # fmt: skip


@pytest.mark.parametrize("changes", HPAS.values(), ids=HPAS)
def test_the_compiled_loop_gives_what_single_decisions_of_the_hpa_give(
    changes: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = load_book("eks").model_dump()
    for part, values in changes.items():
        given[part] |= values
    book, arrivals, decided = Book.model_validate(given), bursts(20_000), []
    advance = HpaScaler.advance

    def counted(*given: Any) -> int:
        decided.append(given)
        return advance(*given)

    monkeypatch.setattr(HpaScaler, "advance", counted)
    long = of_book(book, arrivals, 3)
    few = len(decided)
    monkeypatch.setattr(Clock, "_stride", lambda _self, _chunk, first, **_: first)
    single = of_book(book, arrivals, 3)
    np.testing.assert_equal([astuple(one) for one in long], [astuple(one) for one in single])
    change = np.sign(np.diff(long[2].wanted))
    assert {-1, 1} <= set(change.tolist())
    # Python decides only where a replica or an instance comes or goes.
    assert 5 * few < len(decided) - few


@pytest.mark.parametrize("name", names())
def test_each_request_has_one_outcome(name: str) -> None:
    arrivals = bursts(20_000)
    requests, usage, timeline = simulated(name, arrivals, 3)
    np.testing.assert_array_equal(requests.arrival_s, arrivals)
    served = np.isfinite(requests.latency_s)
    np.testing.assert_array_equal(served.astype(int) + requests.refused + requests.timed_out, 1)
    assert np.isfinite(requests.wait_s[served]).all() and np.isnan(requests.wait_s[requests.refused]).all()
    counted = arrivals >= 1000.5
    assert (usage.requests, usage.refused, usage.timed_out) == (
        counted.sum(), requests.refused[counted].sum(), requests.timed_out[counted].sum()
    )  # fmt: skip
    assert timeline.arrivals.sum() == (arrivals < timeline.arrivals.size * 60).sum()


def test_the_same_seed_gives_the_same_and_another_seed_another_result() -> None:
    arrivals = bursts(5000)
    first, again, other = (simulated("ecs", arrivals, 2, seed)[0].latency_s for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other, equal_nan=True)


def test_all_work_is_counted_once() -> None:
    """Replicas come and go; the work of those that are removed counts too."""
    arrivals = bursts(20_000)
    simulation = Simulation(load_book("kubernetes"), cores_per_request=2, deadline_s=1e6, timeout_s=1e6)
    requests = simulation.feed(arrivals, [0.25])
    usage = simulation.finish(arrivals[-1] + 100)
    assert usage.busy_s == pytest.approx(0.25 * (~requests.refused).sum(), rel=1e-9)
    assert usage.most_replicas > 1


def test_only_the_time_that_is_counted_counts() -> None:
    simulation = Simulation(fixed(2), cores_per_request=2, since_s=10.5, balancer="round-robin")
    simulation.feed([0, 10, 20, 29.5], [1.0])
    usage = simulation.finish(30)
    assert usage == Usage(
        replica_s=2 * 19.5, instance_s=2 * 19.5, busy_s=0.5 + 1 + 0.5, surplus_vcpu_s=0,
        requests=2, refused=0, timed_out=0, most_replicas=2, most_instances=2,
    )  # fmt: skip


def test_memory_is_bounded_by_the_chunk() -> None:
    def peak(chunks: int) -> int:
        simulation = Simulation(load_book("ecs"), cores_per_request=3)
        tracemalloc.start()
        for at in range(chunks):
            simulation.feed(at * 1000 + np.linspace(0, 999, 20_000), [0.1])
        simulation.finish()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(20) < 1.2 * peak(2)


def test_the_defaults_are_those_of_the_service() -> None:
    fields = Settings.model_fields
    assert (fields["max_queue"].default, fields["request_timeout_s"].default) == (MAX_QUEUE, REQUEST_TIMEOUT_S)
    simulation = Simulation(fixed(1), cores_per_request=2)
    assert simulation.feed(np.zeros(MAX_QUEUE + 1), [0.1]).refused.sum() == 1


WRONG: dict[str, dict[str, Any]] = {
    "cores_per_request is 0, and must be from 1e-06 to 1,024": {"cores_per_request": 0},
    "cores_per_request is nan": {"cores_per_request": np.nan},
    "overhead_s is -1": {"overhead_s": -1},
    "queue is 0, and must be from 1 to 1,000,000 for test": {"queue": 0},
    "queue is 3,000,000": {"queue": 3_000_000},
    "timeout_s is 0": {"timeout_s": 0},
    "timeout_s is inf, and must be from 0.001 to 86,400": {"timeout_s": np.inf, "balancer": "activator"},
    "deadline_s is nan": {"deadline_s": np.nan},
    "since_s is -1": {"since_s": -1},
    "replicas is 3, and must be from 2 to 2": {"replicas": 3},
    "step_s is 0": {"step_s": 0},
    "the balancer is 'best', and must be one of least, random, round-robin, activator": {"balancer": "best"},
    "test has no instances": {"burst": load_prices().burstable["t3a.xlarge"]},
}


@pytest.mark.parametrize(("message", "given"), WRONG.items(), ids=list(WRONG))
def test_parameters_out_of_range_are_refused(message: str, given: dict[str, Any]) -> None:
    with pytest.raises(RulesError, match=re.escape(message)):
        Simulation(fixed(2), **{"cores_per_request": 2} | given)


def test_knative_has_its_own_balancer() -> None:
    with pytest.raises(RulesError, match="Knative's is the activator"):
        Simulation(knative(), cores_per_request=1, balancer="least")


def test_requests_that_cannot_be_simulated_are_refused() -> None:
    simulation = Simulation(fixed(1), cores_per_request=2)
    with pytest.raises(TrafficError, match="2 arrivals need as many service times, not 1"):
        simulation.feed([1, 2], [1], per_request=True)
    with pytest.raises(TrafficError, match="there are no service times"):
        simulation.feed([1, 2], [])
    with pytest.raises(TrafficError, match=r"an arrival is at 1e\+09 s"):
        simulation.feed([1e9], [1])
    simulation.feed([5], [1])
    with pytest.raises(TrafficError, match="before 5 s"):
        simulation.feed([4], [1])
    with pytest.raises(TrafficError, match="cannot end at 4 s"):
        simulation.finish(4)
    simulation.finish()
    with pytest.raises(TrafficError, match="finished"):
        simulation.feed([6], [1])
    with pytest.raises(TrafficError, match="finished"):
        simulation.finish()
