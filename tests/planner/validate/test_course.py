"""The batches of the course project, and the simulations that predict them."""

from __future__ import annotations

import pytest

from planner.validate import course


def test_all_eight_means_are_within_the_limit() -> None:
    rows = course.compare()
    assert [one.figure for one in rows] == [f"mean of batch {number}" for number in (1, 2, 3, 4)] * 2
    assert [one for one in rows if one.exceeded] == []


def test_nine_on_two_serial_instances_wait_for_their_turn() -> None:
    # Five on one, four on the other: (1 + 2 + 3 + 4 + 5 + 1 + 2 + 3 + 4) / 9.
    assert course.instance_means(2.0, 3) == pytest.approx([2.0 * 25 / 9] * 3)


def test_nine_on_one_instance_have_the_mean_of_their_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "INSTANCES", 1)
    assert course.instance_means(2.0, 2) == [10.0, 10.0]


def test_on_lambda_the_first_batch_is_cold_and_the_others_are_warm() -> None:
    assert course.lambda_means(11.0, 2.5, 4) == [11.0, 2.5, 2.5, 2.5]


def test_a_mean_is_predicted_without_itself() -> None:
    assert course.predicted_lambda((11.0, 2.0, 3.0, 99.0))[3] == 2.5
    assert course.predicted_instances((10.0, 11.0, 99.0))[2] == pytest.approx(10.5)
