"""Queueing theory: the formulas against known values, and the simulations against the formulas."""

from __future__ import annotations

import pytest

from planner.validate import theory


def test_formulas_give_the_values_of_the_textbooks() -> None:
    # Tables of Erlang B and C, e.g. L. Kleinrock, Queueing Systems, 1975.
    assert theory.erlang_b(1, 1) == 0.5
    assert theory.erlang_b(2, 4) == pytest.approx(2 / 21)
    assert theory.erlang_c(2, 3) == pytest.approx(4 / 9)
    assert theory.mmc_wait_s(0.5, 1) == pytest.approx(1)
    assert theory.mg1_wait_s(0.5, 1) == pytest.approx(theory.mmc_wait_s(0.5, 1))
    assert theory.mg1_wait_s(0.5, 0) == pytest.approx(0.5)


@pytest.mark.slow
def test_simulations_are_within_1_percent_of_theory() -> None:
    found = theory.compare()
    assert len(found) == 15
    assert [one for one in found if one.exceeded] == []
