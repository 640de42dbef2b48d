"""One function: exact against a plain simulation, in any chunks; limits, lifetimes and means."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import dataclass, replace

import numpy as np
import pytest

from planner.aws_lambda.rules import AWS_2020, FIXED, SEBS_2021, Rules
from planner.aws_lambda.simulation import Simulation
from planner.errors import PlannerError
from planner.types import Floats


@dataclass
class Instance:
    """An instance of the plain simulation."""

    number: int
    born: float
    ended: float


def plain(arrivals: Floats, warm: Floats, cold: Floats, rules: Rules) -> list[tuple[int, bool]]:
    """Instance of each request, -1 if it was throttled, and whether it was cold; rules without random numbers only."""
    present: list[Instance] = []
    starts: list[float] = []
    rows: list[tuple[int, bool]] = []
    ended = -math.inf
    number = rules.provisioned
    provisioned = [Instance(k, 0, -math.inf) for k in range(number)]
    for now, warm_s, cold_s in zip(arrivals.tolist(), warm.tolist(), cold.tolist(), strict=True):
        if not [one for one in present + provisioned if one.ended > now] and now >= ended + rules.function_idle_s:
            present = []
        running = [one for one in present if one.ended > now]
        ready = [one for one in provisioned if one.ended <= now]
        idle = [
            one
            for one in present
            if one.ended <= now < min(one.ended + rules.idle_s, max(one.ended, one.born + rules.oldest_s[0]))
        ]
        present = running + idle
        busy = len(running) + len(provisioned) - len(ready)
        if ready:
            # Which of them makes no difference; the simulation's choice is the one that was used last.
            chosen = max(ready, key=lambda one: (one.ended, one.number))
            chosen.ended = now + warm_s
            rows.append((chosen.number, False))
        elif idle:
            chosen = max(idle, key=lambda one: one.ended if rules.pick == "recent" else one.born)
            chosen.ended = now + warm_s
            rows.append((chosen.number, False))
        elif busy >= rules.concurrency or sum(at > now - rules.burst_s for at in starts) >= rules.burst:
            rows.append((-1, False))
            continue
        else:
            chosen = Instance(number, now, now + cold_s)
            number += 1
            starts.append(now)
            present.append(chosen)
            rows.append((chosen.number, True))
        ended = max(ended, chosen.ended)
    return rows


@pytest.mark.parametrize(
    "rules",
    [
        Rules(idle_s=10),
        Rules(idle_s=10, pick="newest"),
        Rules(idle_s=10, concurrency=3),
        Rules(idle_s=5, burst=2, burst_s=20),
        Rules(idle_s=30, function_idle_s=4),
        Rules(idle_s=30, oldest_s=(25, 25), pick="newest"),
        Rules(idle_s=math.inf),
        Rules(idle_s=10, provisioned=2, concurrency=4),
        Rules(idle_s=30, function_idle_s=4, provisioned=1),
    ],
)
def test_every_request_takes_the_instance_that_the_rules_name(rules: Rules) -> None:
    random = np.random.default_rng(3)
    # Alternately busy and quiet, so that instances are shared, wait and leave.
    gaps = random.exponential(np.where(np.arange(3000) // 50 % 2, 0.5, 6.0))
    arrivals, warm, cold = np.cumsum(gaps), random.exponential(2, 3000), random.exponential(3, 3000)
    requests, _ = Simulation(rules).feed(arrivals, warm, cold, per_request=True)
    assert list(zip(requests.instance.tolist(), requests.cold.tolist(), strict=True)) == plain(
        arrivals, warm, cold, rules
    )
    expected = np.where(requests.throttled, np.nan, np.where(requests.cold, cold, warm))
    np.testing.assert_array_equal(requests.latency_s, expected)


@pytest.mark.parametrize("rules", [FIXED, SEBS_2021, AWS_2020], ids=["fixed", "sebs", "aws"])
def test_chunks_of_any_size_give_the_same(rules: Rules) -> None:
    random = np.random.default_rng(4)
    arrivals, times = np.cumsum(random.exponential(30, 4000)), random.exponential(2, 100)
    whole, parts = (Simulation(rules, seed=5, since_s=1000) for _ in range(2))
    requests, gone = whole.feed(arrivals, times, times + 1)
    found = [parts.feed(arrivals[a:b], times, times + 1) for a, b in ((0, 0), (0, 1), (1, 1500), (1500, 4000))]
    np.testing.assert_array_equal(np.concatenate([one.instance for one, _ in found]), requests.instance)
    np.testing.assert_array_equal(np.concatenate([left.gone_s for _, left in found]), gone.gone_s)
    means, others = whole.finish()[0], parts.finish()[0]
    assert (means.requests, means.cold) == (others.requests, others.cold)
    assert means.instances == pytest.approx(others.instances)
    assert means.recently_used == pytest.approx(others.recently_used)


@pytest.mark.slow
def test_means_are_those_of_the_instances_that_left() -> None:
    random = np.random.default_rng(6)
    simulation = Simulation(AWS_2020, seed=1, since_s=5000, used_within_s=600)
    requests, gone = simulation.feed(np.cumsum(random.exponential(20, 4000)), random.exponential(2, 50), [3.0])
    until = float(requests.start_s[-1]) + 50
    means, rest = simulation.finish(until)
    born, ended, left = (
        np.concatenate((getattr(gone, name), getattr(rest, name))) for name in ("born_s", "ended_s", "gone_s")
    )
    times = np.linspace(5000, until, 200_001)

    def mean(starts: Floats, ends: Floats) -> float:
        return sum(float(((times >= a) & (times < b)).mean()) for a, b in zip(starts, ends, strict=True))

    assert means.instances == pytest.approx(mean(born, left), rel=0.001)
    assert means.recently_used == pytest.approx(mean(born, ended + 600), rel=0.001)
    assert means.running == pytest.approx(mean(requests.start_s, requests.start_s + requests.latency_s), rel=0.02)
    assert means.idle == pytest.approx(means.instances - means.running)
    assert means.cold == (requests.cold & (requests.start_s >= 5000)).sum()


def test_half_of_a_group_leaves_every_380_s() -> None:
    group = 400
    for periods in (1, 2, 3):
        for wait, expected in ((380 * periods - 1, 0.5 ** (periods - 1)), (380 * periods + 1, 0.5**periods)):
            simulation = Simulation(replace(SEBS_2021, burst=10_000), seed=periods)
            simulation.feed(np.zeros(group), [1.0], [1.0])
            requests, _ = simulation.feed(np.full(group, 1.0 + wait), [1.0], [1.0])
            assert 1 - requests.cold.mean() == pytest.approx(expected, abs=0.08)


def test_no_more_than_1000_instances_start_in_any_10_s() -> None:
    simulation = Simulation(Rules(concurrency=10_000))
    arrivals = np.sort(np.random.default_rng(1).uniform(0, 40, 20_000))
    requests, _ = simulation.feed(arrivals, [60.0], [60.0])
    starts = requests.start_s[requests.cold]
    windows = np.searchsorted(starts, starts + 10) - np.arange(len(starts))
    assert (windows.max(), requests.throttled.sum()) == (1000, 20_000 - len(starts))
    assert len(starts) == 4000


def test_a_function_without_requests_for_too_long_loses_all_instances() -> None:
    rules = Rules(idle_s=1500, function_idle_s=600)
    for gap, cold in ((599, 0), (601, 3)):
        simulation = Simulation(rules)
        simulation.feed([0.0, 0.0, 0.0], [1.0], [1.0])
        requests, _ = simulation.feed([1.0 + gap] * 3, [1.0], [1.0])
        assert requests.cold.sum() == cold


def test_provisioned_instances_are_always_there() -> None:
    simulation = Simulation(Rules(provisioned=3))
    requests, left = simulation.feed([0.0, 0.0, 100_000.0, 100_000.0, 100_000.0, 100_000.0], [10.0], [10.0])
    assert requests.cold.tolist() == [False, False, False, False, False, True]
    assert requests.instance[-1] == 3
    means, rest = simulation.finish(100_010)
    assert [*left.number, *rest.number] == [3]
    assert means.instances == pytest.approx(3 + 10 / 100_010)
    assert means.running == pytest.approx(60 / 100_010)


def test_an_instance_in_use_reaches_its_largest_age_after_its_request() -> None:
    simulation = Simulation(Rules(idle_s=1500, oldest_s=(100, 100)))
    requests, gone = simulation.feed([0.0, 10.0, 99.0, 105.0, 111.0], [5.0], [5.0])
    assert requests.cold.tolist() == [True, False, False, True, False]
    assert [*gone.gone_s, *simulation.finish()[1].gone_s] == [104.0, 205.0]


def test_memory_depends_on_the_chunk_and_not_on_the_requests() -> None:
    def peak(chunks: int) -> int:
        random = np.random.default_rng(1)
        simulation, now = Simulation(AWS_2020), 0.0
        tracemalloc.start()
        for _ in range(chunks):
            arrivals = now + np.cumsum(random.exponential(0.1, 50_000))
            now = float(arrivals[-1])
            simulation.feed(arrivals, [2.0], [3.0])
        simulation.finish()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(1)  # Compiles.
    assert peak(20) < 1.2 * peak(3)


def test_nothing_fed_has_no_means() -> None:
    means, left = Simulation(FIXED).finish()
    assert math.isnan(means.cold_probability)
    assert math.isnan(means.instances)
    assert left.number.size == 0


WRONG = [
    (dict(idle_s=0), "idle_s is 0, and must be above 0"),
    (dict(halving_s=math.nan), "halving_s is nan, and must be above 0"),
    (dict(oldest_s=(2, 1)), "oldest_s is (2, 1), and must be two increasing times, both finite or both inf"),
    (dict(oldest_s=(2, math.inf)), "oldest_s is (2, inf), and must be two increasing times, both finite or both inf"),
    (dict(pick="oldest"), "pick is 'oldest', and must be recent or newest"),
    (dict(concurrency=0), "concurrency is 0, and must be from 1 to 1,000,000"),
    (dict(provisioned=1001), "provisioned is 1001, and must be from 0 to 1,000"),
    (dict(burst=1_000_001), "burst is 1000001, and must be from 1 to 1,000,000"),
    (dict(burst_s=-1), "burst_s is -1, and must be from 0 seconds"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_rules_name_what_is_wrong(changes: dict[str, object], message: str) -> None:
    with pytest.raises(PlannerError) as caught:
        replace(FIXED, **changes)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_the_simulation_names_what_is_wrong() -> None:
    simulation = Simulation(FIXED)
    for arguments, per_request, message in (
        (([1.0], [], [1.0]), False, "there are no warm times: measure at least one warm request"),
        (([1.0], [1.0], []), False, "there are no cold times: measure at least one cold request"),
        (([1.0, 2.0], [1.0], [1.0, 1.0]), True, "2 arrivals need as many warm times, not 1"),
        (([1.0], [1.0], [-1.0]), False, "cold times: -1 s is not a service time: it must be positive"),
    ):
        with pytest.raises(PlannerError) as caught:
            simulation.feed(*arguments, per_request=per_request)
        assert str(caught.value) == message
    simulation.feed([5.0], [1.0], [1.0])
    with pytest.raises(PlannerError, match="cannot end at 4 s: the last arrival is at 5 s"):
        simulation.finish(4)
    simulation.finish(6)
    with pytest.raises(PlannerError, match="the simulation is finished: make another one"):
        simulation.feed([7.0], [1.0], [1.0])
