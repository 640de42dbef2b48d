"""The page of the load test's overhead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.generator import BARE, JMETER, ask_bare, to_markdown, write_run
from loadtest.results.samples import read_samples
from loadtest.runs import SAMPLES
from local.checkout import ROOT
from local.processes import free_port
from tests.bench.test_report import ABOUT, figures

RESULT = {
    "about": ABOUT,
    "clients": {
        "1": {BARE: figures(40), JMETER: figures(50)},
        "18": {BARE: figures(800), JMETER: figures(796)},
    },
    "reports": {"10000": {"median_ms": 4000, "peak_bytes": 340_000_000, "bytes": 1_700_000}},
}

TABLES = """\
| median response time, ms | bare client | JMeter | JMeter adds |
|---|---|---|---|
| 1 user | 40.0 [39.0, 41.0] | 50.0 [49.0, 51.0] | 10.0 ms, 25.0% |
| 18 users | 800.0 [799.0, 801.0] | 796.0 [795.0, 797.0] | -4.0 ms, -0.5% |

The bare client consists of Python threads that send the same requests and do nothing else.

| report of one run, including Python's start | seconds | samples per second | peak memory, MB | samples.jtl, MB |
|---|---|---|---|---|
| 10,000 samples | 4.00 | 2,500 | 340 | 1.7 |
"""


def test_the_page_shows_what_jmeter_adds_and_the_speed_of_reports() -> None:
    assert to_markdown(RESULT).endswith("\n\n" + TABLES)


def test_the_committed_page_is_that_of_the_committed_figures() -> None:
    result = json.loads((ROOT / "bench" / "generator.json").read_text())
    assert (ROOT / "bench" / "generator.md").read_text() == to_markdown(result)


def test_a_made_up_run_has_as_many_samples_as_wanted_and_one_failure_in_500(tmp_path: Path) -> None:
    write_run(1000, tmp_path / "run")
    table, _ = read_samples(tmp_path / "run" / SAMPLES)
    assert (len(table), int(table["success"].sum())) == (1000, 998)


def test_a_failed_request_of_the_bare_client_ends_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefusedError):
        ask_bare(f"http://127.0.0.1:{free_port()}", 2, 1, tmp_path)
