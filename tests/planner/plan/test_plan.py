"""Whole plans from made-up runs: the decision, what turns it, its files, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.cost.prices import load_prices
from planner import cli
from planner.errors import MeasuredError
from planner.plan import make, search, sensitivity
from planner.plan.make import Request, make_plan
from planner.plan.objective import parse_objective
from planner.plan.spot import Spot
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


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Few configurations, and few points of curves and maps: all of them take half a minute."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("VOLUMES", (10_000, 1_000_000)), ("MAP_VOLUMES", (10_000, 1_000_000)), ("SHAPES", ("constant",)),
            ("MAP_DAYS", 1), ("MOST_DAYS", 1), ("MOST_REQUESTS", 3000), ("LIFETIMES_MIN", (10,)),
        ):  # fmt: skip
            patch.setattr(sensitivity, name, value)
        for name, value in (("TARGETS", (70,)), ("LEAST", (1,)), ("BETWEEN", (2048,)), ("PROVISIONED", (1,))):
            patch.setattr(search, name, value)
        # They decide every two and every fifteen seconds, which takes longest.
        patch.setattr(search, "_kubernetes", lambda *_: [])
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plan")


@pytest.fixture(scope="module")
def runs(folder: Path) -> Path:
    return write_runs(folder / "runs")


@pytest.fixture(scope="module")
def little(runs: Path, folder: Path) -> Plan:
    """A plan for a request every half a minute."""
    return plan(runs, every(folder, 30), whole=True)


def every(folder: Path, seconds: float) -> str:
    file = folder / f"every-{seconds:g}.csv"
    file.write_text("".join(f"{time}\n" for time in np.arange(0, DAY_S + 1, seconds)))
    return str(file)


def plan(
    runs: Path, traffic: str, objective: str = "p95<=2s,errors<=0.1%", *, whole: bool = False, **changes: Any
) -> Plan:
    """A plan; what would turn the decision, the curve and the map only if `whole`, as they take longest."""
    request = Request(
        runs=[runs], traffic=load_traffic(traffic), objective=parse_objective(objective), prices=load_prices(),
        seeds=2, today=date(2026, 11, 1),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        if not whole:
            only_outcomes(patch)
        return make_plan(replace(request, **changes))


def only_outcomes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(make, "turns", lambda *_: ())
    patch.setattr(make, "_curve", lambda *_: (None, []))
    patch.setattr(make, "heat_map", lambda *_: None)


def test_little_traffic_is_cheapest_on_lambda(little: Plan) -> None:
    assert little.best is not None and little.best.platform == "Lambda"
    changes = {turn.change for turn in little.turns}
    assert {"twice the traffic", "half the traffic", "cold starts take twice as long", "Lambda 10% dearer"} <= changes


def test_the_best_is_the_cheapest_that_meets_and_all_are_in_order(little: Plan) -> None:
    meeting = [one.figures.usd.value for one in little.outcomes if one.meets and one.figures.usd]
    assert little.best is not None and little.best.figures.usd is not None
    assert little.best.figures.usd.value == min(meeting)
    distances = [parse_objective(little.objective).distance(one.figures) for one in little.outcomes]
    assert distances == sorted(distances)
    assert len({one.label for one in little.outcomes}) == len(little.outcomes)


def test_an_objective_that_nothing_meets_has_no_best_and_names_what_is_missed(runs: Path, tmp_path: Path) -> None:
    found = plan(runs, every(tmp_path, 30), "p50<=1ms")
    assert found.best is None
    assert all(one.misses[0].startswith("p50 ") for one in found.outcomes)


def test_the_same_request_gives_the_same_outcomes(little: Plan, runs: Path, folder: Path) -> None:
    assert plan(runs, every(folder, 30)).outcomes == little.outcomes


def test_figures_have_the_range_of_all_seeds(little: Plan) -> None:
    for one in little.outcomes:
        for figure in (one.figures.p95_s, one.figures.errors, one.figures.instances):
            assert figure.low <= figure.value <= figure.high


def test_cost_over_volume_and_the_map_cover_their_volumes(little: Plan) -> None:
    assert little.cost_curve is not None and little.heat_map is not None
    assert all(len(line) == 2 for line in little.cost_curve.usd.values())
    for label, line in little.cost_curve.usd.items():
        if label.startswith("Lambda"):
            assert line[1] > 50 * line[0]
    assert little.heat_map.platform[0][0] == "Lambda"


def test_ecs_is_tried_by_each_of_its_rules(little: Plan) -> None:
    assert {one.label for one in little.outcomes if one.platform == "ECS"} == {
        "ECS, 1 to 5", "ECS, 20 s metrics, 1 to 5", "ECS, one idle minute, 1 to 5"
    }  # fmt: skip


def test_what_would_turn_the_decision_has_ranges(little: Plan) -> None:
    assert all(turn.usd and turn.usd.low <= turn.usd.value <= turn.usd.high for turn in little.turns)
    curve, heat = little.cost_curve, little.heat_map
    assert curve is not None and heat is not None
    for label, line in curve.usd.items():
        assert all(low <= usd <= high for low, usd, high in zip(curve.low[label], line, curve.high[label], strict=True))
    (low, usd, high) = (part[0][0] for part in (heat.low, heat.usd, heat.high))
    assert low is not None and usd is not None and high is not None and low < usd < high


def test_a_search_finds_nothing_dearer_and_says_what_it_left_out(little: Plan, runs: Path, folder: Path) -> None:
    found = plan(runs, every(folder, 30), wide=True)
    assert any("left out" in warning for warning in found.warnings)
    assert "Lambda 2048 MB" in {one.label for one in found.outcomes}
    assert little.best and found.best and little.best.figures.usd and found.best.figures.usd
    assert found.best.figures.usd.value <= little.best.figures.usd.value * 1.001


def test_ctrl_c_keeps_what_is_finished(runs: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    def progress(text: str) -> None:
        seen.append(text)
        if len(seen) == 3:
            raise KeyboardInterrupt

    request = Request(
        runs=[runs], traffic=load_traffic(every(tmp_path, 30)), objective=parse_objective("p95<=2s"),
        prices=load_prices(), seeds=2,
    )  # fmt: skip
    found = make_plan(request, progress)
    assert not found.complete
    assert len(found.outcomes) == 3


def test_every_assumption_has_a_source(runs: Path, tmp_path: Path) -> None:
    found = plan(runs, every(tmp_path, 30), restore_s=0.5, spot=Spot(0.6, 0.05))
    assert "ECS, one idle minute, 1 to 5, spot" in {one.label for one in found.outcomes}
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
        plan(runs, every(tmp_path, 30), **changes)


def test_runs_without_the_other_platform_or_without_cold_starts_are_refused(tmp_path: Path) -> None:
    runs = write_runs(tmp_path / "runs")
    with pytest.raises(MeasuredError, match="no run is of the service: measure profile single"):
        plan(runs / "large", every(tmp_path, 30))
    with pytest.raises(MeasuredError, match="no run is of Lambda: measure profile single"):
        plan(runs / "ecs", every(tmp_path, 30))
    write_run(runs / "large", [sample(0, 500)], record("single", platform="lambda", settings={"memory_mb": 3000}))
    with pytest.raises(MeasuredError, match="have no cold start: run profile single or idle-gaps again"):
        plan(runs, every(tmp_path, 30))


@pytest.mark.slow
def test_the_command_writes_all_files(
    runs: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_outcomes(monkeypatch)
    page = tmp_path / "out" / "plan.html"
    arguments = ["--measured", str(runs), "--traffic", every(tmp_path, 30), "--seeds", "2", "--output", str(page)]
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
        (["--spot-discount", "120%"], "--spot-discount is '120%', and must be above 0% and below 100%, e.g. 60%"),
        (["--spot-discount", "0.6"], "--spot-discount is '0.6'"),
        (["--spot-discount", "nan%"], "--spot-discount is 'nan%'"),
        (["--spot-discount", "60%", "--spot-interruptions", "100%"], "--spot-interruptions is '100%'"),
        (["--picture", "scenes=50%,large=40%"], "the shares of --picture add up to 90%, and must add up to 100%"),
        (["--picture", "blue"], "have no warm answer for picture 'blue', only for scenes: run"),
        (["--picture", "a\x1b[31m"], "have no warm answer for picture"),
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
