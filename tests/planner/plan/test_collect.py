"""Percentiles, shares and slices of time that are collected chunk by chunk."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from planner.plan.collect import FINE, SLICES, Collector, Histogram


def test_a_percentile_is_exact_to_half_a_bin() -> None:
    latencies = np.random.default_rng(1).lognormal(0, 1, 100_001)
    histogram = Histogram(FINE)
    for part in np.array_split(latencies, 7):
        histogram.add(part)
    for share in (0.5, 0.95, 0.99):
        assert histogram.percentiles(share)[0] == pytest.approx(np.quantile(latencies, share), rel=FINE - 1)


def test_there_is_no_percentile_without_latencies() -> None:
    assert np.isnan(Histogram(FINE).percentiles(0.5)[0])
    assert np.isnan(Collector(60).errors)


def test_requests_errors_and_cold_starts_are_counted_in_their_slices() -> None:
    collector = Collector(length_s=SLICES * 10)
    arrivals = np.array([0.0, 9.9, 10.0, 25.0])
    failed = np.array([False, True, False, False])
    cold = np.array([True, True, False, False])
    collector.add(arrivals, np.array([1.0, np.nan, 2.0, 4.0]), failed, cold)
    slices = collector.slices()
    assert [(one.requests, one.errors, one.cold) for one in slices[:4]] == [(2, 1, 1), (1, 0, 0), (1, 0, 0), (0, 0, 0)]
    assert slices[1].p50_s == pytest.approx(2, rel=0.05)
    assert slices[3].p50_s is None
    assert collector.requests == 4
    assert collector.errors == 0.25
    assert collector.cold == pytest.approx(1 / 3)


def test_instances_are_weighted_by_time_within_the_simulated_time() -> None:
    collector = Collector(length_s=SLICES * 10)
    collector.add_instances(np.array([5.0, 0.0]), np.array([25.0, 1e9]))
    collector.add_constant(2)
    means = [one.instances for one in collector.slices()]
    assert means[:4] == pytest.approx([3.5, 4.0, 3.5, 3.0])
    assert means[-1] == pytest.approx(3.0)
    assert collector.instances == pytest.approx(3 + 20 / (SLICES * 10))


def test_memory_does_not_grow_with_the_requests() -> None:
    collector = Collector(1000)
    before = len(pickle.dumps(collector))
    for _ in range(50):
        collector.add(np.linspace(0, 1000, 1000), np.ones(1000), np.zeros(1000, bool), np.zeros(1000, bool))
    assert len(pickle.dumps(collector)) < 1.01 * before
