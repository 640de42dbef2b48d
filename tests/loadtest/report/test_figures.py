"""The format of figures in a report."""

from __future__ import annotations

import pytest

from loadtest.report import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.04, "0.0"), (9.96, "10.0"), (99.94, "99.9"), (99.96, "100"), (912.4, "912"), (12_345.6, "12,350"), (None, "–")],
)
def test_milliseconds_have_a_decimal_below_a_hundred_only(value: float | None, text: str) -> None:
    assert figures.ms(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "$0.00"),
        (0.000051, "$0.000051"),
        (0.0514, "$0.051"),
        (3.2, "$3.20"),
        (99.996, "$100"),
        (12_345.0, "$12,340"),
    ],
)
def test_money_has_two_significant_digits_or_cents(value: float, text: str) -> None:
    assert figures.usd(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (950, "950"),
        (123_456, "123,000"),
        (999_999, "1 million"),
        (2_437_000, "2.44 million"),
        (3e9, "3 billion"),
        (None, "–"),
    ],
)
def test_large_numbers_of_pictures_are_words(value: float | None, text: str) -> None:
    assert figures.pictures(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 9, "0%"),
        (1, 100_000, "<0.1%"),
        (1, 200, "0.5%"),
        (12, 100, "12%"),
        (9_999, 10_000, ">99%"),
        (5, 5, "100%"),
        (0, 0, "–"),
    ],
)
def test_0_and_100_percent_are_exact(part: int, whole: int, text: str) -> None:
    assert figures.share(part, whole) == text


@pytest.mark.parametrize(
    ("value", "text"), [(4.25, "4.25 s"), (59.99, "60 s"), (125.0, "2 min 5 s"), (7384.0, "2 h 3 min")]
)
def test_durations_are_in_seconds_minutes_or_hours(value: float, text: str) -> None:
    assert figures.duration(value) == text


@pytest.mark.parametrize(("value", "text"), [(812, "812 B"), (48_200, "48.2 kB"), (5.1e6, "5.1 MB")])
def test_sizes_are_in_units_of_a_thousand(value: float, text: str) -> None:
    assert figures.size(value) == text


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({}, "not recorded"),
        ({"Xeon, AVX2": 3}, "Xeon, AVX2"),
        ({"Xeon, AVX2": 3, "EPYC, AVX-512": 1}, "Xeon, AVX2 (3 instances); EPYC, AVX-512 (1 instance)"),
    ],
)
def test_processors_are_counted_where_there_are_several(counts: dict[str, int], text: str) -> None:
    assert figures.processors(counts) == text
