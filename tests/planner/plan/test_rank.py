"""The order of configurations in a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtest.results.summary import Estimate
from planner.plan.candidates import Candidate, ContainerCandidate, FunctionCandidate, HybridCandidate
from planner.plan.evaluate import is_close, rank
from planner.plan.objective import parse_objective
from planner.plan.types import Outcome
from planner.scaling.books import load_book
from tests.planner.plan.test_objective import figures

OBJECTIVE = parse_objective("p95<=2s,errors<=0.1%")
ECS = ContainerCandidate(load_book("ecs"), "ECS", "ECS", "ecs", "t3a.xlarge")
HYBRID = HybridCandidate(ECS, FunctionCandidate(2048))


def outcome(*, p95_s: float = 1.0, usd: float | None) -> Outcome:
    found = figures(p95_s=p95_s, usd=usd)
    return Outcome("a", "A", {}, found, OBJECTIVE.misses(found), [], [])


def test_a_hybrid_must_be_cheaper_by_a_cent() -> None:
    alone = rank(ECS, outcome(usd=126.218), OBJECTIVE)
    assert alone < rank(HYBRID, outcome(usd=126.217), OBJECTIVE)
    assert rank(HYBRID, outcome(usd=126.20), OBJECTIVE) < alone


def test_what_meets_goes_before_what_is_cheaper_and_what_has_no_price_is_last() -> None:
    assert rank(ECS, outcome(usd=500), OBJECTIVE) < rank(ECS, outcome(p95_s=2.1, usd=1), OBJECTIVE)
    assert rank(ECS, outcome(usd=500), OBJECTIVE) < rank(ECS, outcome(usd=None), OBJECTIVE)
    assert rank(ECS, outcome(p95_s=2.1, usd=9), OBJECTIVE) < rank(ECS, outcome(p95_s=3, usd=1), OBJECTIVE)


def test_the_errors_that_are_allowed() -> None:
    assert OBJECTIVE.most_errors == 0.001
    assert parse_objective("p95<=2s").most_errors == 1


FUNCTION = FunctionCandidate(2048)


def ranged(
    candidate: Candidate, usd: tuple[float, float], p95_s: tuple[float, float] = (1.0, 1.0)
) -> tuple[Candidate, Outcome]:
    """A configuration whose bill and p95 have these ranges."""
    bill, p95 = (Estimate((low + high) / 2, low, high) for low, high in (usd, p95_s))
    one = outcome(usd=bill.value)
    return candidate, replace(one, figures=replace(one.figures, usd=bill, p95_s=p95))


@pytest.mark.parametrize(
    ("found", "close"),
    [
        pytest.param([ranged(ECS, (10, 12)), ranged(FUNCTION, (13, 15))], False, id="ranges apart"),
        pytest.param([ranged(ECS, (10, 13)), ranged(FUNCTION, (12, 15))], True, id="bills overlap"),
        pytest.param([ranged(ECS, (10, 13)), ranged(ECS, (12, 15))], False, id="one platform"),
        pytest.param([ranged(ECS, (10, 13)), ranged(FUNCTION, (12, 15), (2.1, 3))], False, id="the other misses"),
        pytest.param([ranged(ECS, (20, 21)), ranged(FUNCTION, (12, 15), (1.9, 3))], True, id="the cheaper may meet"),
        pytest.param([ranged(ECS, (10, 11), (1.9, 2.05))], True, id="the only one may miss"),
        pytest.param([ranged(ECS, (10, 11), (2.1, 2.5))], False, id="none meets"),
        pytest.param([ranged(ECS, (10, 11)), ranged(HYBRID, (10, 11))], False, id="a hybrid of the same containers"),
        pytest.param([ranged(FUNCTION, (10, 11)), ranged(HYBRID, (10, 11))], True, id="a hybrid and a function"),
    ],
)
def test_a_decision_is_close_if_another_platform_may_win(found: list[tuple[Candidate, Outcome]], close: bool) -> None:
    assert is_close(found, OBJECTIVE) == close
