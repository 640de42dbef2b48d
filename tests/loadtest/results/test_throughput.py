"""The throughputs of a run that count for its capacity."""

from __future__ import annotations

from dataclasses import replace

from loadtest.results.summary import PhaseKind
from loadtest.results.throughput import rates
from tests.loadtest.cost.costing import phase, summary


def seen(kinds: dict[PhaseKind, float], whole: float = 1.0) -> list[float]:
    phases = [replace(phase(per_s), kind=kind) for kind, per_s in kinds.items()]
    return [rate.per_s for rate in rates([summary(phases=phases, throughput_per_s=whole)])]


def test_a_run_without_phases_counts_as_a_whole() -> None:
    assert seen({}) == [1.0]


def test_users_and_rates_count_rather_than_batches() -> None:
    assert seen({"users": 3.0, "rate": 4.0, "batch": 9.0, "payload": 8.0}) == [1.0, 3.0, 4.0]


def test_a_batch_counts_if_there_is_nothing_else() -> None:
    assert seen({"batch": 9.0}) == [1.0, 9.0]


def test_failed_runs_and_phases_do_not_count() -> None:
    assert rates([summary(status="failed")]) == []
    assert rates([summary(requests=100, errors={"503": 1})]) == []
    assert len(rates([summary(requests=101, errors={"503": 1})])) == 1
