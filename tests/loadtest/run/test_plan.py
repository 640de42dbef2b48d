"""The plan by hand: in JMeter's window, from its command line, and when its data are missing."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from loadtest.results.analysis import read_run
from loadtest.run.jmeter import BUNDLED, PLAN, PROPERTIES, find_jmeter
from local.checkout import ROOT
from local.processes import free_port
from tests.conftest import wait_for
from tests.loadtest.run.test_runner import Target
from tests.loadtest.run.test_runner import target as target

README = (ROOT / "loadtest" / "README.md").read_text()
Done = subprocess.CompletedProcess[str]


def by_hand(folder: Path, *options: str | Path, plan: Path = PLAN) -> Done:
    """Run a plan in a folder as a user does, without `python -m loadtest`."""
    command = find_jmeter().command("-t", plan, *options)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_every_element_is_shown_in_jmeters_window_and_saved_with_the_same_types(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    by_hand(tmp_path, f"-Jplan={PLAN}", f"-Jout={out}", plan=Path(__file__).with_name("window.jmx"))
    elements = [element.get("testname") for element in ET.parse(PLAN).iter() if element.get("guiclass")]
    nested = {None, "Arguments"}  # Parts of an element without a panel of their own.
    assert out.read_text().splitlines() == [f"shown: {name}" for name in elements if name not in nested]


def test_parameters_have_a_name_and_a_word_each() -> None:
    rows = {
        row.get("name"): {str(part.get("name")).removeprefix("Argument."): part.text or "" for part in row}
        for row in ET.parse(PLAN).iter("elementProp")
        if row.get("elementType") == "Argument"
    }
    used = set(re.findall(r"\$\{__P\((?:users@[^,]*,\$\{__P\()?(\w+),", PLAN.read_text()))
    assert set(rows) == used and len(rows) == 19
    assert all(row["desc"] and row["name"] == name for name, row in rows.items())


def test_every_element_has_a_comment() -> None:
    for element in ET.parse(PLAN).iter():
        if element.get("testname") and element.tag != "elementProp":
            comment = element.find("stringProp[@name='TestPlan.comments']")
            assert comment is not None and comment.text, element.get("testname")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-Jpictures=none.csv"], "the CSV file of the requests cannot be read: .*none.csv; set -Jpictures to its "),
        (["-Jpictures={empty}"], "the CSV file of the requests has no row below its header filename,label,at_ms: "),
        (["-Jusers=3", "-Jstarts=0,5"], "starts has 2 values for 3 users: give one per user, separated by commas"),
    ],
)  # fmt: skip
def test_missing_data_end_the_test_with_a_message(
    options: list[str], message: str, target: Target, tmp_path: Path
) -> None:
    (tmp_path / "empty.csv").write_text("filename,label,at_ms\n")
    given = [option.format(empty=tmp_path / "empty.csv") for option in options]
    done = by_hand(tmp_path, f"-Jport={target.url.rpartition(':')[2]}", *given)
    assert re.search(f"^error: {message}", done.stderr, re.M)
    assert done.returncode == 1 and target.asked == []


@pytest.mark.slow
def test_the_console_shows_how_many_requests_failed(tmp_path: Path) -> None:
    done = by_hand(tmp_path, "-q", PROPERTIES, "-l", "samples.jtl", f"-Jport={free_port()}", "-Jloops=1")
    assert re.search(r"^summary =\s+9 .* Err:\s+9 \(100\.00%\)", done.stdout, re.M)


@pytest.mark.slow
def test_the_example_of_starts_works(target: Target, tmp_path: Path) -> None:
    (example,) = re.findall(r"-Jusers=3 -Jstarts=\S+", README)
    by_hand(tmp_path, *example.split(), "-Jloops=1", f"-Jport={target.url.rpartition(':')[2]}")
    first, second, third = sorted(at for at, *_ in target.asked)
    assert second - first < 3 < third - first  # Seconds.


@pytest.mark.slow
def test_the_command_of_the_readme_gets_answers_from_a_fresh_make_serve(tmp_path: Path) -> None:
    (line,) = re.findall(r"^jmeter -n .*$", README, re.M)
    port = free_port()
    line = line.replace("-Jport=3000", f"-Jport={port}")  # 3000 may be taken on the machine of the tests.
    assert str(port) in line
    (tmp_path / "loadtest").symlink_to(ROOT / "loadtest")
    serve = [sys.executable, "-W", "ignore", "-m", "local", "--data", str(tmp_path / "data"), "serve", f"--port={port}"]
    with (tmp_path / "serve.log").open("w+") as log:
        door = subprocess.Popen(serve, cwd=ROOT, stdout=log, stderr=log)
        try:
            assert wait_for(lambda: "Serving until" in (tmp_path / "serve.log").read_text(), 120)
            environment = os.environ | {"PATH": f"{BUNDLED / 'bin'}:{os.environ['PATH']}"}
            for _ in range(2):  # The second time, all of its files exist already.
                subprocess.run(shlex.split(line), cwd=tmp_path, env=environment, check=True, stdout=log, timeout=120)
        finally:
            door.send_signal(signal.SIGINT)
            door.wait(60)
    summary = read_run(tmp_path / "samples.jtl")
    assert (summary.requests, summary.answered, summary.run.model.partition(":")[0]) == (36, 36, "yolov7-tiny-scenes")
    assert (tmp_path / "dashboard" / "index.html").is_file()
