"""Percentiles and intervals, compared with numpy and a plain bootstrap."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from loadtest.results.statistics import MOST_DISTINCT, latency
from loadtest.results.summary import PERCENTILES


@pytest.mark.parametrize("count", [1, 2, 3, 10, 99, 1000])
def test_figures_are_those_of_numpy(count: int) -> None:
    times = np.random.default_rng(count).lognormal(6, 0.7, count).astype(int)
    found = latency(pl.Series(times))
    assert found is not None
    assert (found.count, found.max) == (count, times.max())
    assert found.mean.value == pytest.approx(times.mean())
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        assert getattr(found, name).value == pytest.approx(np.quantile(times, share, method="weibull")), name


def test_intervals_are_those_of_a_plain_bootstrap() -> None:
    random = np.random.default_rng(0)
    times = random.lognormal(6, 0.5, 400).astype(int)
    found = latency(pl.Series(times))
    assert found is not None
    drawn = random.choice(times, (4000, len(times)))
    for name, figures in (
        ("mean", drawn.mean(axis=1)),
        ("p50", np.median(drawn, axis=1)),
        ("p90", np.quantile(drawn, 0.9, axis=1, method="weibull")),
    ):
        low, high = np.quantile(figures, (0.025, 0.975))
        estimate = getattr(found, name)
        assert (estimate.low, estimate.high) == pytest.approx((low, high), rel=0.03), name


def test_a_95_percent_interval_contains_the_true_value_95_percent_of_the_time() -> None:
    random = np.random.default_rng(1)
    truth = np.exp(6.0)  # The median of the distribution.
    held = 0
    for seed in range(100):
        found = latency(pl.Series(random.lognormal(6, 0.5, 100).round().astype(int)), seed)
        assert found is not None
        held += found.p50.low <= truth <= found.p50.high
    assert 87 <= held <= 99


def test_the_same_samples_give_the_same_figures() -> None:
    times = pl.Series([5, 7, 7, 9, 30])
    assert latency(times) == latency(times.reverse())


def test_no_times_give_no_figures() -> None:
    assert latency(pl.Series([], dtype=pl.Int64)) is None


@pytest.mark.parametrize(
    ("count", "too_few"),
    [
        (1, ("p50", "p90", "p95", "p99")),
        (2, ("p90", "p95", "p99")),
        (9, ("p90", "p95", "p99")),
        (10, ("p95", "p99")),
        (19, ("p95", "p99")),
        (20, ("p99",)),
        (99, ("p99",)),
        (100, ()),
    ],
)
def test_a_percentile_of_too_few_answers_is_their_maximum_and_named(count: int, too_few: tuple[str, ...]) -> None:
    found = latency(pl.Series(range(1, count + 1)))
    assert found is not None
    assert found.too_few == too_few
    assert {name for name in PERCENTILES if getattr(found, name).value == found.max} == set(too_few)


def test_many_different_times_are_rounded_for_the_intervals_only() -> None:
    times = np.arange(1, 40_000)
    assert len(times) > MOST_DISTINCT
    found = latency(pl.Series(times))
    assert found is not None
    assert (found.p50.value, found.max) == (20_000, 39_999)
    assert found.p99.value == pytest.approx(39_600)
    assert found.p50.low < 20_000 < found.p50.high
