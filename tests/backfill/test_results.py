"""Results: each picture is one JSON line and one row, each detection one row."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest

from backfill.cost import Usage, estimate
from backfill.errors import BackfillError, JournalError
from backfill.journal import Journal, Outcome
from backfill.pictures import Picture
from backfill.results import DETECTIONS, PICTURES, write_results
from backfill.selection import Counts
from backfill.summary import summary
from loadtest.cost.prices import load_prices
from loadtest.platforms.aws_lambda import LambdaSettings
from loadtest.platforms.ecs import EcsSettings
from loadtest.platforms.fargate import FargateSettings
from loadtest.platforms.settings import Settings
from tests.backfill.target import BUS, answer


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.sqlite", {})


def test_a_picture_is_one_line_and_one_row_and_a_detection_is_one_row(journal: Journal, tmp_path: Path) -> None:
    two = answer(detections=[BUS, {**BUS, "label": "car", "class_id": 1}], bucket="r", filename="a_1.jpg")
    journal.record([
        (Picture(b"a.jpg", "1", 10), Outcome("done", answer=two, seconds=0.25)),
        (Picture("é\n.jpg".encode(), "1", 5), Outcome("done", answer=answer(detections=[]), seconds=0.5)),
        (Picture(b"c.jpg"), Outcome("failed", "not_an_image", message="c.jpg is not an image")),
    ])  # fmt: skip
    found = write_results(journal, tmp_path)
    journal.close()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert lines == [
        {"key": "a.jpg", **two},
        {"key": "é\n.jpg", **answer(detections=[])},
        {"key": "c.jpg", "error": {"code": "not_an_image", "message": "c.jpg is not an image"}},
    ]
    pictures = pl.read_parquet(tmp_path / "pictures.parquet")
    assert list(pictures.columns) == list(PICTURES)
    assert pictures.select("key", "error", "detections", "bytes", "result_key").rows() == [
        ("a.jpg", None, 2, 10, "a_1.jpg"), ("é\n.jpg", None, 0, 5, None), ("c.jpg", "not_an_image", None, None, None),
    ]  # fmt: skip
    detections = pl.read_parquet(tmp_path / "detections.parquet")
    assert detections.rows() == [
        ("a.jpg", "bus", 0, 0.9, 1.0, 2.0, 3.0, 4.0, 640, 480), ("a.jpg", "car", 1, 0.9, 1.0, 2.0, 3.0, 4.0, 640, 480),
    ]  # fmt: skip
    assert (found.answered, found.billed_ms) == (2, 18)
    assert (found.detections, found.pictures) == ({"bus": 1, "car": 1}, {"bus": 1, "car": 1})


def test_a_job_without_pictures_has_empty_tables(journal: Journal, tmp_path: Path) -> None:
    write_results(journal, tmp_path)
    journal.close()
    for name, columns in (("pictures", PICTURES), ("detections", DETECTIONS)):
        table = pl.read_parquet(tmp_path / f"{name}.parquet")
        assert (list(table.columns), table.height) == (list(columns), 0)


def test_rows_beyond_one_chunk_are_all_there(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backfill.results._ROWS", 7)
    journal.record((Picture(b"%d.jpg" % n), Outcome("done", answer=answer())) for n in range(30))
    write_results(journal, tmp_path)
    journal.close()
    keys = pl.read_parquet(tmp_path / "detections.parquet")["key"].to_list()
    assert keys == [f"{n}.jpg" for n in range(30)]


def test_results_that_cannot_be_written_are_one_line(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "results.jsonl.part").mkdir()
    with pytest.raises(JournalError, match=r"the results cannot be written .*: they are safe in .*journal\.sqlite"):
        write_results(journal, tmp_path)
    journal.close()


def test_the_summary_has_pictures_classes_failures_and_times(journal: Journal, tmp_path: Path) -> None:
    hostile = answer(detections=[{**BUS, "label": "\x1b[31m"}])
    journal.record([
        (Picture(b"a.jpg", "1", 1_500_000), Outcome("done", answer=answer(), seconds=0.25)),
        (Picture(b"b.jpg", "1", 500_000), Outcome("done", answer=hostile, seconds=0.75)),
        (Picture(b"c.jpg"), Outcome("failed", "not_an_image")),
        (Picture(b"d.jpg"), Outcome("later", "overloaded")),
    ])  # fmt: skip
    counts = Counts(listed=9, others=3, journaled=2, existing=4)
    counts.outcomes.update(done=2, failed=1, later=1)
    text = summary(counts, journal, write_results(journal, tmp_path), 4.0, None)
    journal.close()
    lines = dict(found for line in text.splitlines() if len(found := re.split("  +", line.strip(), maxsplit=1)) == 2)
    assert "\x1b" not in text
    for name, value in {
        "pictures named by the source": "9, and 3 other files",
        "left out: done before": "2",
        "left out: have a result": "4",
        "failed: not_an_image": "1",
        "failed: overloaded": "1",
        "found: bus": "1 in 1 pictures",
        "found: \\x1b[31m": "1 in 1 pictures",
        "bytes of these pictures": "2.0 MB",
        "seconds per request": "p50 0.250, p95 0.750, p99 0.750, max 0.750",
        "model m:1": "2 pictures",
    }.items():
        assert lines[name] == value
    assert "0.50 in 0:00:04" in text


def test_the_costs_are_those_of_the_list_prices() -> None:
    prices = load_prices()
    region = prices.regions["us-east-1"]
    usage = Usage(answered=1000, billed_ms=2_000_000, bytes_per_picture=1000, hours=2.0)
    function = region.functions["x86_64"]
    expected = 2000 * 2 * function.gb_second.usd + 1000 * (function.request.usd + region.http_api.usd / 1e6)
    assert estimate(LambdaSettings(memory_mb=2048), usage, prices).usd == pytest.approx(expected)
    ecs = estimate(EcsSettings(instance_type="t3a.large", instances=3), usage, prices).usd
    assert ecs == pytest.approx(2 * (3 * region.ec2["t3a.large"].usd + region.alb.hour.usd), rel=0.01)
    task = region.fargate["x86_64"]
    fargate = estimate(FargateSettings(cpus=2, task_memory_mb=4096), usage, prices).usd
    assert fargate == pytest.approx(2 * (2 * task.vcpu_hour.usd + 4 * task.gb_hour.usd + region.alb.hour.usd), rel=0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (LambdaSettings(region="mars-1"), "region mars-1 is not in"),
        (EcsSettings(instance_type="x9.huge"), "instance type x9.huge has no price; known are t3a.medium"),
    ],
)
def test_what_has_no_price_is_one_line(settings: Settings, message: str) -> None:
    with pytest.raises(BackfillError, match=message):
        estimate(settings, Usage(1, 1, 1.0, 1.0), load_prices())
