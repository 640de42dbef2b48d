"""The format of figures with their ranges."""

from __future__ import annotations

import math

import pytest

from loadtest.results.summary import Estimate
from planner.page import figures


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0"), (1e-6, "0.0001"), (0.00041, "0.041"), (0.004, "0.4"), (0.125, "12"), (0.9973, "99.73"),
        (0.9999999, ">99.99"), (1.0, "100"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_only_nothing_is_0_and_only_the_whole_is_100_percent(share: float, text: str) -> None:
    assert figures.percent(share) == text


def test_a_figure_has_its_range() -> None:
    assert figures.seconds(Estimate(1.2134, 1.181, 1.249)) == "1.21 s (1.18 to 1.25)"
    assert figures.share(Estimate(0.004, 0.003, 0.005)) == "0.4% (0.3 to 0.5)"
    assert figures.monthly(Estimate(41.2, 40.1, 43.0)) == "$41.20 a month ($40.10 to $43.00)"


def test_a_missing_figure_is_a_dash_and_a_missing_range_is_unknown() -> None:
    assert figures.seconds(Estimate(math.nan, math.nan, math.nan)) == "–"
    assert figures.seconds(Estimate(1.0, math.nan, math.nan)) == "1 s (range unknown)"
    assert figures.monthly(None) == "no price"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "1 min 30 s"), (600, "10 min"), (86_400, "24 h"), (2 * 86_400, "2 days"), (2.6e6, "30.1 days")],
)
def test_lengths_are_short(seconds: float, text: str) -> None:
    assert figures.length(seconds) == text
