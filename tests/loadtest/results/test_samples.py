"""Broken samples are reported, and the others are still read."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.errors import SamplesError
from loadtest.results.analysis import read_run, read_runs
from loadtest.results.samples import read_samples
from tests.loadtest.results.jtl import HEADER, START, failed, record, sample, text, write_run

GOOD = [sample(at, 100 + at) for at in (0, 10, 20, 30)]
LINES = text(GOOD).splitlines()


def test_samples_are_read_in_the_order_of_their_start(tmp_path: Path) -> None:
    file = tmp_path / "samples.jtl"
    file.write_text(text([sample(20, 7), sample(0, 9, cold="true"), failed(10, 8)]))
    table, warnings = read_samples(file)
    assert warnings == []
    assert table["elapsed"].to_list() == [9, 8, 7]
    assert table["success"].to_list() == [True, False, True]
    assert table["cold"].to_list() == [True, None, False]


def test_a_message_of_several_lines_is_one_sample(tmp_path: Path) -> None:
    file = tmp_path / "samples.jtl"
    file.write_text(text([failed(0, 5, failureMessage='expected to equal "200"\n\n, received\n12,x'), *GOOD]))
    table, warnings = read_samples(file)
    assert (table.height, warnings) == (5, [])


@pytest.mark.parametrize(
    ("broken", "count"),
    [
        (["garbage"], 1),
        (["1,2,3"], 1),
        (["\x00\xff"], 1),
        ([f"{START},abc,scenes,200,OK,u,text,true"], 1),
        ([f"{START},-5,scenes,200,OK,u,text,true"], 1),
        ([f'{START},5,scenes,200,"never closed'], 1),
        ([f'{START},5,"one', f'{START},5,"two'], 2),
        ([f"{START},5,scenes,200,OK,u,text,perhaps"], 1),
    ],
)
def test_broken_lines_are_counted_and_the_others_kept(broken: list[str], count: int, tmp_path: Path) -> None:
    file = tmp_path / "samples.jtl"
    file.write_text("\n".join([*LINES[:3], *broken, *LINES[3:]]) + "\n", errors="surrogateescape")
    table, warnings = read_samples(file)
    assert table["elapsed"].to_list() == [100, 110, 120, 130]
    assert warnings == [f"{count} broken lines of samples.jtl are ignored"]


@pytest.mark.parametrize("cut", [20, 60, len(LINES[-1]) - 1])
def test_a_truncated_last_line_does_not_affect_the_others(cut: int, tmp_path: Path) -> None:
    file = tmp_path / "samples.jtl"
    file.write_text("\n".join([*LINES[:-1], LINES[-1][:cut]]))
    assert read_samples(file)[0].height >= 3


def test_missing_columns_are_named_in_a_warning(tmp_path: Path) -> None:
    """JMeter writes only these columns without samples.properties."""
    run = write_run(tmp_path / "run", text(GOOD, HEADER[:17]))
    summary = read_run(run)
    assert summary.requests == 4 and summary.all is not None and summary.all.p50.value == 115
    assert (summary.steps_ms, summary.billed_ms, summary.cold, summary.run.model) == ({}, None, None, "unknown")
    assert len(summary.warnings) == 1
    assert summary.warnings[0].startswith("samples.jtl has no round, due, cold, instance, fetch,")
    assert "plans/samples.properties" in summary.warnings[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "samples.jtl is empty: the run ended before JMeter began to write"),
        (text([]), "samples.jtl has a header and no samples: the run ended before its first answer"),
        ('<?xml version="1.0"?>\n<testResults/>', "samples.jtl is XML: JMeter must write CSV"),
        ("\n".join(LINES[1:]), "samples.jtl has no header with timeStamp, elapsed, label, responseCode, success"),
        (text(GOOD, HEADER[:3]), "samples.jtl has no column responseCode, success"),
        (text(GOOD).replace(",", ";"), "samples.jtl has no header with timeStamp"),
        (text([sample(0, 5, timeStamp="2026/11/22 08:00:00")]), "is timeStamp in milliseconds?"),
    ],
)
def test_unusable_samples_are_one_clear_line(content: str, message: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", content)
    with pytest.raises(SamplesError) as caught:
        read_run(run)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hours", [-5, 5])
def test_samples_of_another_clock_give_a_warning(hours: int, tmp_path: Path) -> None:
    samples = [sample(hours * 3_600_000, 100)]
    run = write_run(tmp_path / "run", samples)
    assert any("the samples' clock differs from the run's" in warning for warning in read_run(run).warnings)
    assert read_run(write_run(tmp_path / "good", [sample(0, 100)])).warnings == []


def test_broken_runs_are_named_and_the_others_read(tmp_path: Path) -> None:
    good = write_run(tmp_path / "good", GOOD)
    bare = write_run(tmp_path / "bare", GOOD)
    (bare / "run.json").unlink()
    cut = write_run(tmp_path / "cut", GOOD)
    (cut / "run.json").write_text((cut / "run.json").read_text()[:100])
    early = write_run(tmp_path / "early", GOOD)
    (early / "samples.jtl").unlink()
    newer = write_run(tmp_path / "newer", GOOD, record(schema_version=9))
    summaries, skipped = read_runs([bare, cut, good, early, newer, tmp_path / "nowhere"])
    assert [summary.run.name for summary in summaries] == ["good"]
    reasons = {one.name: one.reason for one in skipped}
    assert reasons["bare"] == "there is no run.json: this is not the folder of a run"
    assert reasons["cut"].startswith("run.json is broken: Invalid JSON")
    assert reasons["early"] == "there is no samples.jtl: the run ended before JMeter began to write"
    assert reasons["newer"] == "run.json has version 9, but this program reads up to 1: use a newer program"
    assert reasons["nowhere"] == "there is no such folder"


PLAIN = HEADER[: HEADER.index("round")]  # JMeter's columns without samples.properties.


def test_samples_without_a_record_are_summarised_and_say_what_is_unknown(tmp_path: Path) -> None:
    samples = [sample(0, 100), failed(1, 5), sample(2, 120)]
    samples = [made | {"URL": "http://127.0.0.1:3000/predict"} for made in samples]
    (tmp_path / "mine.jtl").write_text(text(samples, PLAIN))
    summary = read_run(tmp_path / "mine.jtl")
    assert (summary.requests, summary.answered, summary.errors) == (3, 2, {"503": 1})
    assert summary.all is not None and summary.all.p50.value == 110
    assert (summary.cold, summary.warm, summary.steps_ms, summary.corrected) == (None, None, {}, None)
    assert summary.run.label == "local unknown platform, unknown machine, mine.jtl"
    assert (summary.run.profile, summary.run.target, summary.run.model) == (
        "by hand",
        "http://127.0.0.1:3000",
        "unknown",
    )
    assert "has no round, due, cold, instance" in summary.warnings[0]


def test_samples_without_a_record_and_without_a_url_are_refused(tmp_path: Path) -> None:
    header = [name for name in PLAIN if name != "URL"]
    (tmp_path / "mine.jtl").write_text(text([sample(0, 100)], header))
    with pytest.raises(SamplesError, match=r"mine\.jtl has no URL in its first samples"):
        read_run(tmp_path / "mine.jtl")
