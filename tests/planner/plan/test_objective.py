"""Reading objectives, and what misses them."""

from __future__ import annotations

import math

import pytest

from loadtest.results.summary import Estimate
from planner.errors import ObjectiveError
from planner.plan.objective import parse_objective
from planner.plan.types import Figures


def figures(*, p95_s: float = 1.0, errors: float = 0.0, cold: float = 0.01, usd: float | None = 50) -> Figures:
    def exact(value: float) -> Estimate:
        return Estimate(value, value, value)

    return Figures(
        exact(0.5),
        exact(p95_s),
        exact(3.0),
        exact(cold),
        exact(errors),
        exact(1.0),
        None if usd is None else exact(usd),
    )


def test_limits_are_read_in_their_units() -> None:
    limits = parse_objective(" p95 <= 2s, p99<=2500ms,errors<=0.1%,cold<=5% ,usd<=100").limits
    assert [(one.name, one.most) for one in limits] == [
        ("p95", 2.0), ("p99", 2.5), ("errors", pytest.approx(0.001)), ("cold", 0.05), ("usd", 100.0),
    ]  # fmt: skip
    assert str(parse_objective("p95<=2s,errors<=0.1%")) == "p95<=2s,errors<=0.1%"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is not a part"),
        ("p95<2s", "'p95<2s' is not a part"),
        ("p95<=2s,", "'' is not a part"),
        ("p90<=2s", "there is no figure p90"),
        ("p95<=2", "write e.g."),
        ("p95<=2%", "write e.g."),
        ("errors<=1s", "write e.g."),
        ("errors<=101%", "at most 100%"),
        ("p95<=0s", "above 0"),
        ("p95<=1.2.3s", "1.2.3 is not a number"),
        ("p95<=nans", "is not a part"),
        ("p95<=2s,p95<=3s", "p95 twice"),
        (",".join(["p95<=2s"] * 11), "11 parts"),
        ("p95<=2s" + "\x1b[31m" * 50, "is not a part"),
    ],
)
def test_a_wrong_objective_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ObjectiveError) as caught:
        parse_objective(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_limit_that_is_exceeded_is_named_with_both_values() -> None:
    objective = parse_objective("p95<=2s,errors<=0.1%,cold<=1%")
    assert objective.misses(figures()) == ()
    assert objective.misses(figures(p95_s=2.0)) == ()
    assert objective.misses(figures(p95_s=2.5, errors=0.02)) == (
        "p95 2.5 s > 2 s", "errors 2% > 0.1%",
    )  # fmt: skip


def test_what_is_unknown_misses_its_limit() -> None:
    assert parse_objective("p95<=2s").misses(figures(p95_s=math.nan)) == ("p95, which is unknown",)
    assert parse_objective("usd<=100").misses(figures(usd=None)) == ("usd, which is unknown",)


def test_the_distance_is_the_largest_relative_excess() -> None:
    objective = parse_objective("p95<=2s,errors<=10%")
    assert objective.distance(figures()) == 0
    assert objective.distance(figures(p95_s=3.0, errors=0.4)) == pytest.approx(3)
    assert parse_objective("errors<=0%").distance(figures(errors=0.1)) == math.inf
