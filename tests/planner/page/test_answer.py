"""The sentences of a plan: each case of a decision."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from planner.page.answer import answer, cautions
from planner.page.contents import limit_s, objective
from planner.page.tables import turn_cells
from planner.plan.types import Outcome, Plan, Turn
from tests.planner.page.made_up import MEASURED, TRIED, TURNS, estimate, outcome, outcomes, plan


def sentences(about: Plan) -> dict[str, str]:
    """The sentences by topic."""
    return {sentence.topic: sentence.text for sentence in answer(about)}


def without_price(one: Outcome) -> Outcome:
    return replace(one, figures=replace(one.figures, usd=None), bill=[])


def missing() -> list[Outcome]:
    """The configurations that miss the objective."""
    return [one for one in outcomes() if not one.meets]


def test_the_answer_of_a_whole_plan_has_its_figures_with_their_ranges() -> None:
    assert sentences(plan()) == {
        "Decision": "Lambda 1769 MB is the cheapest of the 6 configurations, out of 10, that meet p95 ≤ 2 s and errors "
        "≤ 0.1%: it costs $71.40 a month ($69.97 to $72.83), its p50 is 1.24 s (1.23 to 1.25), p95 1.61 s (1.56 to "
        "1.66) and p99 2.74 s (2.52 to 2.96), 0.41% (0.33 to 0.49) of the requests meet a cold start and none "
        "fails.",
        "Runner-up": "Fargate 2 vCPU, 2 tasks is the cheapest on another platform. It costs $187 a month ($183 to "
        "$191): $116 more, 2.62 times as much. Its p95 is 1.33 s (1.29 to 1.37).",
        "Another winner": "Another configuration is the cheapest that meets the objective after these changes: Fargate "
        "2 vCPU, 2 tasks with ten times the traffic; Lambda 3000 MB with service times 20% longer; Fargate 4 vCPU, 2 "
        "tasks with a limit of 1 s for p95.",
        "No winner": "No configuration meets the objective with a limit of 0.5 s for p95.",
        "Same winner": "Lambda 1769 MB stays the cheapest with half the traffic, twice the traffic and provisioned "
        "instances at twice the price.",
        "Close": "Chance may decide between platforms, because their ranges overlap, with ten times the traffic.",
    }


def test_a_single_configuration_that_meets_the_objective_is_named_as_such() -> None:
    found = sentences(plan(outcomes=[outcomes()[0], *missing()], turns=[]))
    assert found["Decision"].startswith("Lambda 1769 MB is the only one of 5 configurations that meets p95 ≤ 2 s")
    assert found["Runner-up"] == (
        "No configuration on another platform meets the objective. ECS t3a.large, 1 tasks is the nearest and misses "
        "p95 5.65 s > 2 s and errors 8.1% > 0.1%."
    )
    assert found["Another winner"] == "No change of an assumption was simulated."


def test_one_outcome_has_no_comparison() -> None:
    found = sentences(plan(outcomes=outcomes()[:1], turns=TURNS[:1]))
    assert found["Decision"].startswith("Lambda 1769 MB is the only configuration that was simulated, and it meets p95")
    assert found["Runner-up"] == "All configurations are on Lambda, so no other platform is compared."
    assert found["Another winner"] == "None of the simulated changes makes another configuration the cheapest."


def test_if_nothing_meets_the_objective_the_nearest_is_named_with_what_it_misses() -> None:
    found = sentences(plan(outcomes=missing(), turns=[TURNS[0], TURNS[5]]))
    assert found["Decision"].startswith(
        "None of 4 configurations meets p95 ≤ 2 s and errors ≤ 0.1%. Lambda 1024 MB is the nearest and misses p95 3.09 "
        "s > 2 s: it costs $69.80 a month ($68.40 to $71.20), its p50 is 2.38 s"
    )
    assert "Runner-up" not in found and "Same winner" not in found
    assert found["Another winner"].endswith("Lambda 1769 MB with half the traffic.")
    assert found["No winner"] == "No configuration meets the objective with a limit of 0.5 s for p95."


def test_a_nearest_configuration_without_responses_and_price_has_dashes() -> None:
    nan = estimate(math.nan)
    dead = without_price(outcome(TRIED[-1]))
    dead = replace(dead, figures=replace(dead.figures, p50_s=nan, p95_s=nan, p99_s=nan), misses=["no responses"])
    text = sentences(plan(outcomes=[dead], turns=[]))["Decision"]
    assert "misses no responses: it has no price, its p50 is –, p95 – and p99 –, " in text


def test_configurations_without_a_price_are_no_decision() -> None:
    found = sentences(plan(outcomes=[without_price(one) for one in outcomes()], turns=[]))
    assert found["Decision"].startswith(
        "Lambda 1769 MB meets p95 ≤ 2 s and errors ≤ 0.1%, but no configuration that meets it has a price, so the "
        "cheapest is unknown. For Lambda 1769 MB, its p50 is 1.24 s (1.23 to 1.25)"
    )
    assert "Runner-up" not in found


def test_a_platform_without_a_price_is_not_the_runner_up() -> None:
    first, *others = outcomes()
    found = sentences(plan(outcomes=[first, *(without_price(one) for one in others if one.meets)]))
    assert found["Runner-up"] == "No configuration on another platform that meets the objective has a price."
    assert found["Without a price"] == (
        "Lambda 3000 MB, Fargate 2 vCPU, 2 tasks, ECS t3a.xlarge, 2 tasks and 2 more meet the objective too, but the "
        "price is unknown."
    )


def test_ranges_that_overlap_are_called_chance() -> None:
    first, *others = outcomes()
    near = replace(others[1], figures=replace(others[1].figures, usd=estimate(72.0, 0.02)))
    text = sentences(plan(outcomes=[first, near]))["Runner-up"]
    assert "$0.60 more, 1.01 times as much" in text and text.endswith("The two ranges overlap, so chance may decide.")


def test_a_plan_without_configurations_says_so() -> None:
    assert sentences(plan(outcomes=[], turns=[])) == {
        "Decision": "No configuration was simulated, so there is no decision."
    }


def test_a_bill_of_nothing_has_no_ratio() -> None:
    free = replace(outcomes()[0], figures=replace(outcomes()[0].figures, usd=estimate(0.0)))
    text = sentences(plan(outcomes=[free, outcomes()[2]]))["Runner-up"]
    assert "$187 more. Its p95" in text


def test_a_turn_has_its_bill_with_the_range_and_whether_it_is_close() -> None:
    assert [[(cell.text, cell.small) for cell in turn_cells(turn)] for turn in (TURNS[2], TURNS[5])] == [
        [("ten times the traffic", ""), ("Fargate 2 vCPU, 2 tasks", "close"), ("$655", "$635 to $675")],
        [("a limit of 0.5 s for p95", ""), ("none", ""), ("–", "")],
    ]
    *_, price = turn_cells(Turn("free instances", "ECS t3a.xlarge, 2 tasks", None))
    assert price.text == "no price"


LOCAL = (
    "The times come from local stand-ins on AMD EPYC, 2 processors, Linux 6.1, not from AWS; how each platform scales "
    "comes from rules."
)
INTERRUPTED = "The search was interrupted: some configurations are missing, and one of them may be cheaper than these."
ONCE = "Each configuration was simulated once, so the ranges do not show how much chance matters."


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"warnings": []}, [LOCAL]),
        ({"warnings": [], "measured": replace(MEASURED, where="aws")}, []),
        ({"warnings": ["a warning"], "complete": False}, [LOCAL, INTERRUPTED, "a warning"]),
        ({"warnings": [], "seeds": 1}, [LOCAL, ONCE]),
    ],
)
def test_cautions_name_stand_ins_an_interruption_and_warnings(changes: dict[str, object], found: list[str]) -> None:
    assert cautions(plan(**changes)) == found


@pytest.mark.parametrize(
    ("text", "shown", "limit"),
    [
        ("p95<=2s,errors<=0.1%", "p95 ≤ 2 s and errors ≤ 0.1%", 2.0),
        ("p95 <= 350ms", "p95 ≤ 350 ms", 0.35),
        ("p99<=1.5s", "p99 ≤ 1.5 s", None),
        ("errors<=1%, p95<1.5", "errors ≤ 1% and p95<1.5", 1.5),
    ],
)
def test_the_limit_of_p95_is_read_from_the_objective(text: str, shown: str, limit: float | None) -> None:
    assert (objective(text), limit_s(text)) == (shown, limit)
