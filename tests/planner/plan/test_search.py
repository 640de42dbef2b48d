"""A search leaves configurations out, but never the one that wins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planner.plan import search
from planner.plan import world as world_module
from planner.plan.candidates import Candidate, FunctionCandidate
from planner.plan.evaluate import evaluate, evaluate_all, rank
from planner.plan.measured import ServiceTimes
from planner.plan.objective import Objective, parse_objective
from planner.plan.types import Outcome
from planner.plan.world import Demand, World, measure
from planner.traffic import load_traffic
from planner.traffic.shapes import DAY_S
from tests.planner.plan.test_simulate import times, world

SEEDS = 1
OBJECTIVES = (
    "p95<=3s,errors<=0.1%", "p99<=1.5s,errors<=0.01%", "cold<=1%,errors<=1%", "p50<=2s,usd<=100", "p50<=1ms",
)  # fmt: skip
Found = list[tuple[Candidate, Outcome]]


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """A search of dozens of configurations with a price instead of hundreds, for a day."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world_module, "ENOUGH", 100)
        patch.setattr(search, "_kubernetes", lambda *_: [])
        patch.setattr(search, "_alike", lambda _, other: other in ("t3a.xlarge", "c7i.xlarge"))
        for name, value in (("BETWEEN", (2048,)), ("PROVISIONED", (1, 4)), ("TARGETS", (70,)), ("LEAST", (1, 3))):
            patch.setattr(search, name, value)
        yield


@pytest.fixture(scope="module")
def given() -> World:
    """Two sizes of Lambda, of which the smaller one is slower and cheaper; times vary."""
    random = np.random.default_rng(3)

    def varied(platform: str, warm_s: float, cold_s: float, **settings: object) -> ServiceTimes:
        found = times(platform, warm_s, cold_s, **settings)
        warm, cold = warm_s * random.uniform(0.8, 1.4, 40), cold_s * random.uniform(0.8, 1.4, 20)
        (kind,) = found.kinds
        kind = replace(
            kind, warm_s=warm, detect_s=0.8 * warm, warm_billed_s=0.9 * warm, cold_s=cold, cold_billed_s=cold
        )
        return replace(found, kinds=(kind,))

    small, large = varied("lambda", 2.0, 6.0, memory_mb=1769), varied("lambda", 1.2, 4.0, memory_mb=3000)
    return world(functions=(small, large), services={"ecs": varied("ecs", 1.0, 1.0)})


def demand(folder: Path, name: str) -> Demand:
    """Few requests, many, or bursts."""
    random = np.random.default_rng(4)
    arrivals = {
        "sparse": np.arange(0, DAY_S, 600.0),
        "busy": np.cumsum(random.exponential(10, 8000)),
        "bursts": np.sort(np.repeat(np.arange(0, DAY_S, 3600), 60) + random.uniform(0, 30, 24 * 60)),
    }[name]
    file = folder / f"{name}.csv"
    file.write_text("".join(f"{time:.6f}\n" for time in arrivals))
    return measure(load_traffic(str(file)))


def judged(found: Found, objective: Objective) -> Found:
    """The same figures under another objective, in the order of a plan."""
    again = [(candidate, replace(one, misses=objective.misses(one.figures))) for candidate, one in found]
    return sorted(again, key=lambda pair: rank(pair[0], pair[1], objective))


def winners(found: Found) -> list[Outcome]:
    """The cheapest configuration of each platform that meets the objective."""
    meeting = [(candidate, one) for candidate, one in found if one.meets and one.figures.usd]
    return [one for _, one in search.finalists(meeting, 1)]


@pytest.mark.parametrize("name", ["sparse", "busy", "bursts"])
@pytest.mark.slow
def test_what_a_search_leaves_out_cannot_win(name: str, given: World, tmp_path: Path) -> None:
    traffic = demand(tmp_path, name)
    candidates = search.wide(given, "t3a.xlarge", traffic.busiest_minute / 60)
    every = list(evaluate_all(candidates, traffic, given, parse_objective(OBJECTIVES[0]), SEEDS))
    pruned = 0
    for text in OBJECTIVES:
        objective = parse_objective(text)
        found, notes, complete = search.search(candidates, traffic, given, objective, SEEDS, lambda _: None)
        exhaustive = judged(every, objective)
        assert complete
        assert winners(found) == winners(exhaustive)
        # What meets nothing prunes nothing, so that the nearest is named.
        assert winners(found) or found == exhaustive
        assert len(found) == len(candidates) or notes
        pruned += len(candidates) - len(found)
    assert pruned


def test_what_few_seeds_left_out_is_tried_when_all_seeds_decide_otherwise(given: World, tmp_path: Path) -> None:
    traffic, dear = demand(tmp_path, "sparse"), FunctionCandidate(3000, 4)
    cheap = [FunctionCandidate(1769, provisioned) for provisioned in range(2, 6)]
    everything = parse_objective("errors<=100%")
    few, many = (
        [evaluate(one, traffic, given, everything, seeds).figures.p50_s.value for one in cheap] for seeds in (2, 4)
    )
    assert max(few) < min(many)
    # The cheap ones meet the objective with two seeds only.
    objective = parse_objective(f"p50<={(max(few) + min(many)) / 2:.4f}s")
    found, notes, _ = search.search([*cheap, dear], traffic, given, objective, 4, lambda _: None)
    assert [candidate for candidate, one in found if one.meets] == [dear]
    assert not notes
