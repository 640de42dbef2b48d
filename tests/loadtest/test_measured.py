"""The README shows the results of the runs that are in the repository."""

from __future__ import annotations

import itertools
from datetime import date

import pytest

from loadtest.cost.compare import compare_costs
from loadtest.cost.prices import load_prices
from loadtest.report.figures import interval, ms, pictures, rate, usd
from loadtest.results.analysis import read_runs
from loadtest.results.summary import Summary
from loadtest.results.throughput import rates
from local.checkout import ROOT

MEASURED = ROOT / "loadtest" / "measured"
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def runs() -> list[Summary]:
    """The kept runs of `make compare`."""
    summaries, skipped = read_runs(sorted((MEASURED / "runs").iterdir()))
    assert skipped == []
    return summaries


def test_every_profile_of_the_runs_has_one_run_per_platform_and_model(runs: list[Summary]) -> None:
    found = sorted((r.run.profile, r.run.platform, r.run.model.partition(":")[0]) for r in runs)
    profiles, platforms, models = (sorted(set(values)) for values in zip(*found, strict=True))
    assert found == list(itertools.product(profiles, platforms, models))
    assert {"single", "batches", "idle-gaps"} <= set(profiles)  # The README's table shows them.
    assert (platforms, models) == (["ecs", "lambda"], ["yolov7-tiny-scenes", "yolov7-w6-random"])
    assert {r.run.where for r in runs} == {"local"}
    assert {r.run.status for r in runs} == {"finished"}


def test_all_runs_have_one_commit_and_one_machine_which_the_readme_names(runs: list[Summary]) -> None:
    (commit,), (machine,) = {r.run.commit for r in runs}, {r.run.machine for r in runs}
    days = {r.run.started[:10] for r in runs}
    assert f"commit {commit}" in README and "+" not in commit
    assert machine in README
    assert all(day in README for day in days)


def test_the_readme_has_the_table_of_the_runs(runs: list[Summary]) -> None:
    costs = compare_costs(runs, load_prices(), date.today())
    for cost in costs:
        for option in cost.options:
            of_label = {r.run.profile: r for r in runs if (r.run.label, r.run.model) == (option.label, cost.model)}
            assert row(cost.model, option.label, of_label, option.usd_per_1000) in README
        for even in cost.break_evens:
            assert f"{pictures(even.pictures_per_month)} pictures a month" in README


def row(model: str, label: str, of_label: dict[str, Summary], usd_per_1000: float) -> str:
    """The row of the README's table for a platform and a model."""
    warm, cold = of_label["single"].warm, of_label["idle-gaps"].cold
    first, *later = [phase.latency for phase in of_label["batches"].phases]
    assert warm and cold and first and all(later)
    best = max(rate.per_s for rate in rates(list(of_label.values())))
    means = " ".join(ms(batch.mean.value) for batch in later if batch)
    cells = [
        model.partition(":")[0], label, f"{ms(warm.p50.value)} {interval(warm.p50)}", ms(cold.p50.value),
        f"{ms(first.mean.value)}, then {means}", rate(best), usd(usd_per_1000),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"
