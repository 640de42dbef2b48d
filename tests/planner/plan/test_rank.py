"""The order of configurations in a plan."""

from __future__ import annotations

from planner.plan.candidates import ContainerCandidate, FunctionCandidate, HybridCandidate
from planner.plan.evaluate import rank
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
