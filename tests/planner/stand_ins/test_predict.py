"""The command that predicts, and the file it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.profiles import load_profile
from planner import cli
from planner.errors import DataError, TrafficError
from planner.stand_ins.predict import PROFILES, predict, predict_one, read_predictions
from planner.stand_ins.traffic import MOST_REQUESTS
from tests.planner.stand_ins.runs import FIRST, OTHER, profile, single, write_single


def test_the_command_writes_what_can_be_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_single(tmp_path / "runs" / "a")
    write_single(tmp_path / "runs" / "b", platform="ecs", settings={})
    file = tmp_path / "predictions.json"
    assert cli.main(["predict", str(tmp_path / "runs"), "--short", "--seeds", "2", "--output", str(file)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{file}: 12 predictions from 2 runs of single"
    found = read_predictions(file)
    assert (found.commit, found.machine, found.seeds, found.singles) == ("abc", "2 cores", 2, 2)
    assert [(one.platform, one.profile.name) for one in found.predictions] == [
        (platform, name) for platform in ("lambda", "ecs") for name in PROFILES
    ]
    assert all(one.profile == load_profile(one.profile.name, short=True) for one in found.predictions)
    assert found.predictions[0].settings.given == {"memory_mb": 3000}


def test_a_prediction_has_the_figures_of_the_simulated_runs() -> None:
    warm = sum(OTHER.values()) * 1000
    cold = (sum(FIRST.values()) + OTHER["fetch"] + OTHER["store"] - FIRST["fetch"] - FIRST["store"]) * 1000
    found = predict_one(single(), profile(loops=2), 3)
    assert found.median_ms is not None
    assert found.p95_ms is not None
    assert found.median_ms.model_dump() == dict.fromkeys(("value", "low", "high"), round((warm + cold) / 2, 2))
    assert found.p95_ms.value == pytest.approx(warm + 0.95 * (cold - warm))
    assert (found.requests.value, found.cold_starts.value, found.errors.value) == (2, 1, 0)


def test_the_range_covers_the_seeds() -> None:
    varied = single(between_s=0.0)
    others = tuple(type(varied.others[0])(**(OTHER | {"detect": 0.1 * number})) for number in range(1, 6))
    found = predict_one(type(varied)(varied.record, "m", varied.firsts, others, 0.0), profile(loops=9), 40)
    assert found.median_ms is not None
    assert found.median_ms.low < found.median_ms.value < found.median_ms.high


def test_runs_of_two_commits_are_refused() -> None:
    with pytest.raises(DataError, match="the runs of single have 2 commits, abc and def: name runs of one"):
        predict([single(), single("ecs", commit="def")], short=True)


@pytest.mark.parametrize("seeds", [0, 1001])
def test_the_number_of_seeds_has_a_limit(seeds: int) -> None:
    with pytest.raises(DataError, match=f"the number of seeds is {seeds}, and must be from 1 to 1,000"):
        predict([single()], short=True, seeds=seeds)


def test_a_profile_with_too_many_requests_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.stand_ins.traffic.MOST_REQUESTS", 10)
    assert MOST_REQUESTS == 100_000
    with pytest.raises(TrafficError, match="profile p has more than 10 requests: shorten it"):
        predict_one(single(), profile(loops=11), 1)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    with pytest.raises(DataError, match=f"^{file} cannot be read: No such file"):
        read_predictions(file)
    file.write_text(json.dumps({"commit": "a"}))
    with pytest.raises(DataError, match=f"^{file} is broken: machine: Field required: predict again$"):
        read_predictions(file)
