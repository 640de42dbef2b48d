"""Whole plans from made-up runs: the decision, what turns it, its files, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.cost.prices import load_prices
from planner import cli
from planner.errors import MeasuredError
from planner.plan import search, sensitivity
from planner.plan.evaluate import sort_key
from planner.plan.make import Request, make_plan
from planner.plan.objective import parse_objective
from planner.plan.types import Plan
from planner.traffic import load_traffic
from tests.loadtest.results.jtl import record, sample, write_run

DAY_S = 86_400
Captured = pytest.CaptureFixture[str]


def write_runs(folder: Path, *, warm_ms: int = 500, cold_ms: int = 2000, **changes: Any) -> Path:
    """Runs of profile single on a function of two sizes and on the service."""
    for name, platform, settings, factor in (
        ("small", "lambda", {"memory_mb": 1769}, 2), ("large", "lambda", {"memory_mb": 3000}, 1),
        ("ecs", "ecs", {}, 1),
    ):  # fmt: skip
        own = [sample(0, cold_ms * factor, cold="true", detect="1")]
        own += [
            sample(10_000 * (k + 1), warm_ms * factor + k, detect=str(warm_ms * factor * 0.9 + k)) for k in range(20)
        ]
        write_run(folder / name, own, record("single", platform=platform, settings=settings, **changes))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return write_runs(tmp_path / "runs")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few points of curves and maps, which would take a minute."""
    monkeypatch.setattr(sensitivity, "VOLUMES", (10_000, 1_000_000))
    monkeypatch.setattr(sensitivity, "MAP_VOLUMES", (10_000, 1_000_000))
    monkeypatch.setattr(sensitivity, "SHAPES", ("constant",))
    monkeypatch.setattr(sensitivity, "MAP_DAYS", 1)
    monkeypatch.setattr(sensitivity, "MOST_DAYS", 1)


def every(folder: Path, seconds: float) -> str:
    file = folder / f"every-{seconds:g}.csv"
    file.write_text("".join(f"{time}\n" for time in np.arange(0, DAY_S + 1, seconds)))
    return str(file)


def plan(runs: Path, traffic: str, objective: str = "p95<=2s,errors<=0.1%", **changes: Any) -> Plan:
    request = Request(
        runs=[runs], traffic=load_traffic(traffic), objective=parse_objective(objective), prices=load_prices(),
        seeds=2, today=date(2026, 11, 1),
    )  # fmt: skip
    return make_plan(replace(request, **changes))


def test_little_traffic_is_cheapest_on_lambda_and_even_heavy_traffic_on_containers(runs: Path, tmp_path: Path) -> None:
    little = plan(runs, every(tmp_path, 300))
    assert little.best is not None and little.best.platform == "Lambda"
    heavy = plan(runs, every(tmp_path, 0.7))
    assert heavy.best is not None and heavy.best.platform == "ECS"
    assert heavy.runner_up is not None and heavy.runner_up.platform != "ECS"


def test_the_best_is_the_cheapest_that_meets_and_all_are_in_order(runs: Path, tmp_path: Path) -> None:
    found = plan(runs, every(tmp_path, 60))
    meeting = [one.figures.usd.value for one in found.outcomes if one.meets and one.figures.usd]
    assert found.best is not None and found.best.figures.usd is not None
    assert found.best.figures.usd.value == min(meeting)
    keys = [sort_key(one, parse_objective(found.objective)) for one in found.outcomes]
    assert keys == sorted(keys)
    assert len({one.label for one in found.outcomes}) == len(found.outcomes)


def test_an_objective_that_nothing_meets_has_no_best_and_names_what_is_missed(runs: Path, tmp_path: Path) -> None:
    found = plan(runs, every(tmp_path, 300), "p50<=1ms")
    assert found.best is None
    assert all(one.misses[0].startswith("p50 is ") for one in found.outcomes)


def test_the_same_request_gives_the_same_plan(runs: Path, tmp_path: Path) -> None:
    traffic = every(tmp_path, 300)
    assert plan(runs, traffic) == plan(runs, traffic)


def test_figures_have_the_range_of_all_seeds(runs: Path, tmp_path: Path) -> None:
    for one in plan(runs, every(tmp_path, 300)).outcomes:
        for figure in (one.figures.p95_s, one.figures.errors, one.figures.instances):
            assert figure.low <= figure.value <= figure.high


def test_changes_that_turn_the_decision_are_found(runs: Path, tmp_path: Path) -> None:
    found = plan(runs, every(tmp_path, 2.2))  # Somewhat below the volume at which both cost the same.
    winners = {turn.change: turn.winner for turn in found.turns}
    assert {"twice the traffic", "half the traffic", "cold starts take twice as long", "Lambda 10% dearer"} <= set(
        winners
    )
    assert len({str(winner).partition(" ")[0] for winner in winners.values()}) > 1


def test_cost_over_volume_and_the_map_cover_their_volumes(runs: Path, tmp_path: Path) -> None:
    found = plan(runs, every(tmp_path, 300))
    assert found.cost_curve is not None and found.heat_map is not None
    assert all(len(line) == 2 for line in found.cost_curve.usd.values())
    for label, line in found.cost_curve.usd.items():
        if label.startswith("Lambda"):
            assert line[1] > 50 * line[0]
    assert found.heat_map.platform[0][0] == "Lambda"


def test_a_search_tries_more_and_finds_nothing_dearer(runs: Path, tmp_path: Path) -> None:
    traffic = every(tmp_path, 300)
    usual, wide = plan(runs, traffic), plan(runs, traffic, wide=True)
    assert len(wide.outcomes) > len(usual.outcomes)
    assert any("left out" in warning for warning in wide.warnings)
    assert usual.best and wide.best and usual.best.figures.usd and wide.best.figures.usd
    assert wide.best.figures.usd.value <= usual.best.figures.usd.value * 1.001
    assert "Lambda 2048 MB" in {one.label for one in wide.outcomes}


def test_what_a_search_leaves_out_could_not_have_won(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic = every(tmp_path, 30)
    pruned = plan(runs, traffic, wide=True)
    monkeypatch.setattr(search, "least_usd", lambda *_: 0.0)
    whole = plan(runs, traffic, wide=True)
    assert len(whole.outcomes) > len(pruned.outcomes)
    assert pruned.best and whole.best and pruned.best.label == whole.best.label


def test_ctrl_c_keeps_what_is_finished(runs: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    def progress(text: str) -> None:
        seen.append(text)
        if len(seen) == 3:
            raise KeyboardInterrupt

    request = Request(
        runs=[runs], traffic=load_traffic(every(tmp_path, 300)), objective=parse_objective("p95<=2s"),
        prices=load_prices(), seeds=2,
    )  # fmt: skip
    found = make_plan(request, progress)
    assert not found.complete
    assert len(found.outcomes) == 3


def test_every_assumption_has_a_source(runs: Path, tmp_path: Path) -> None:
    found = plan(runs, every(tmp_path, 300), restore_s=0.5)
    assert all(one.source for one in found.assumptions)
    assert "Lambda 3000 MB, SnapStart" in {one.label for one in found.outcomes}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"region": "mars-1"}, "region mars-1 is not in prices.json"),
        ({"instance_type": "x9.huge"}, "instance type x9.huge has no price in us-east-1"),
        ({"model": "other"}, "no run is of model other: the runs are of m"),
        ({"picture": "large"}, "no warm answer for picture 'large'"),
    ],
)
def test_what_is_unknown_is_refused(runs: Path, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(MeasuredError, match=said):
        plan(runs, every(tmp_path, 300), **changes)


def test_runs_without_the_other_platform_or_without_cold_starts_are_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(MeasuredError, match="no run is of the service: measure profile single"):
        plan(runs / "large", every(tmp_path, 300))
    with pytest.raises(MeasuredError, match="no run is of Lambda: measure profile single"):
        plan(runs / "ecs", every(tmp_path, 300))
    write_run(
        runs / "large", [sample(0, 500)], record("single", platform="lambda", settings={"memory_mb": 3000})
    )  # fmt: skip
    with pytest.raises(MeasuredError, match="have no cold start: run profile single or idle-gaps again"):
        plan(runs, every(tmp_path, 300))


def test_the_command_writes_all_files(runs: Path, tmp_path: Path, capsys: Captured) -> None:
    page = tmp_path / "out" / "plan.html"
    arguments = ["--measured", str(runs), "--traffic", every(tmp_path, 300), "--seeds", "2", "--output", str(page)]
    assert cli.main(["plan", *arguments, "--json", "--csv", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith(f"plan: {page}")
    assert sorted(file.name for file in page.parent.iterdir()) == ["plan.csv", "plan.html", "plan.json", "plan.md"]
    written = json.loads(page.with_suffix(".json").read_text())
    assert written["outcomes"][0]["label"] in page.read_text()
    assert page.stat().st_size < 2_000_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--slo", "p95<2s"], "is not a part of an objective"),
        (["--seeds", "1"], "--seeds is 1, and must be from 2 to 100"),
        (["--cores-per-request", "0"], "--cores-per-request is 0"),
        (["--restore-s", "-1"], "--restore-s is -1"),
        (["--traffic", "nothing.csv"], "there is no file nothing.csv"),
        (["--prices", "nothing.json"], "nothing.json cannot be read"),
        (["--measured", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_a_wrong_option_is_one_line_and_nothing_is_written(
    arguments: list[str], said: str, runs: Path, tmp_path: Path, capsys: Captured
) -> None:
    page = tmp_path / "out" / "plan.html"
    given = ["--measured", str(runs), "--traffic", every(tmp_path, 3600), "--output", str(page), *arguments]
    assert cli.main(["plan", *given]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not page.parent.exists()
