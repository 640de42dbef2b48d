"""Our figures are those of JMeter's own dashboard of the same samples."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from loadtest.results.statistics import latency
from loadtest.run.jmeter import PROPERTIES, find_jmeter
from tests.loadtest.results.jtl import sample, text

pytestmark = pytest.mark.slow

COUNTS = (1, 2, 9, 10, 19, 20, 36, 99, 100, 576, 21_000)  # By default JMeter takes the last 20,000 samples.
NAMES = {
    "mean": "meanResTime", "p50": "medianResTime", "p90": "pct1ResTime", "p95": "pct2ResTime", "p99": "pct3ResTime",
}  # fmt: skip


def test_mean_and_percentiles_are_those_of_the_dashboard(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    times = {f"of {count}": random.lognormal(6, 0.7, count).astype(int) for count in COUNTS}
    samples = [sample(at, int(ms), label=label) for label, own in times.items() for at, ms in enumerate(own)]
    (tmp_path / "samples.jtl").write_text(text(samples))
    made: list[str | Path] = [
        "-g",
        tmp_path / "samples.jtl",
        "-o",
        tmp_path / "made",
        "-q",
        PROPERTIES,
        "-j",
        tmp_path / "jmeter.log",
    ]
    command = [part for part in find_jmeter().command(*made) if part != "-n"]  # Not with -g.
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    theirs = json.loads((tmp_path / "made" / "statistics.json").read_text())
    for label, own in times.items():
        found = latency(pl.Series(own))
        assert found is not None
        ours = {name: getattr(found, name).value for name in NAMES}
        assert ours == pytest.approx({name: theirs[label][key] for name, key in NAMES.items()}), label
