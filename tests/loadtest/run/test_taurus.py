"""Taurus runs the same plan, and its criteria decide its exit status."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from loadtest.errors import JMeterError
from loadtest.results.analysis import read_run
from loadtest.run import taurus
from loadtest.run.taurus import CRITERIA, run_taurus
from tests.loadtest.run.test_runner import KEY, Target, contract, job
from tests.loadtest.run.test_runner import target as target

pytestmark = pytest.mark.slow


def test_more_errors_than_the_default_criteria_allow_fail_the_run(target: Target, tmp_path: Path) -> None:
    target.reply = lambda: target.good() if len(target.asked) % 2 else contract(503, "overloaded")()
    assert run_taurus(job(target, "batches", "users=1", "loops=4"), tmp_path / "results") == 3
    summary = read_run(next((tmp_path / "results").iterdir()))
    assert (summary.requests, summary.errors) == (4, {"overloaded": 2})


@pytest.mark.parametrize(("limit", "met"), [("p95>30s", True), ("p95>1ms", False)])
def test_criteria_decide_the_exit_status(limit: str, met: bool, target: Target, tmp_path: Path) -> None:
    target.delay_s = 0.02
    criteria = yaml.safe_load(CRITERIA.read_text())
    criteria["reporting"][0]["criteria"][0] = f"{limit}, continue as failed"
    (tmp_path / "criteria.yml").write_text(yaml.safe_dump(criteria))
    asked = job(target, "batches", "users=2", "loops=2", key=KEY)
    status = run_taurus(asked, tmp_path / "results", tmp_path / "criteria.yml")
    assert (status == 0) == met
    summary = read_run(next((tmp_path / "results").iterdir()))
    assert (summary.requests, summary.answered, summary.run.model) == (4, 4, "m:1")
    assert [phase.requests for phase in summary.phases] == [2, 2]
    assert all(headers["x-api-key"] == KEY for *_, headers in target.asked)
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]


def test_no_taurus_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, target: Target) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(taurus, "OWN", tmp_path / "bzt")
    with pytest.raises(JMeterError, match="there is no Taurus: run make taurus to install one"):
        run_taurus(job(target), tmp_path / "results")
    assert not (tmp_path / "results").exists()
