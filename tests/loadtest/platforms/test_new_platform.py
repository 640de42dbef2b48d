"""A new platform needs its own definition and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.cost.compare import compare_costs
from loadtest.cost.offers import Offer, agreed, billed_ms, offer
from loadtest.cost.prices import Prices, load_prices
from loadtest.cost.tariff import PayPerUse
from loadtest.platforms.base import Platform
from loadtest.platforms.registry import PLATFORMS
from loadtest.platforms.settings import Count, Settings
from loadtest.results.analysis import read_run
from loadtest.results.summary import Summary
from loadtest.run.matrix import load_matrix
from loadtest.runs import parse_target
from tests.loadtest.results.jtl import record, sample, write_run


class BatchSettings(Settings):
    """Settings of the made-up platform."""

    gpus: Count = 1


def price(summaries: Sequence[Summary], _: Prices) -> Offer:
    """Two dollars per GPU-hour, billed per request."""
    usd = agreed(summaries, BatchSettings).gpus * billed_ms(summaries) / 3_600_000 * 2
    return offer(summaries, PayPerUse(usd, 0.0), usd * 1000, ["2 USD per GPU-hour."])


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform(
        name="gpus", title="GPU pool", position=9, settings=BatchSettings, size="gpus", unit=" GPUs", price=price
    )
    monkeypatch.setitem(PLATFORMS, platform.name, platform)


@pytest.mark.usefixtures("gpus")
@pytest.mark.slow
def test_a_made_up_platform_is_recorded_priced_and_reported(tmp_path: Path) -> None:
    for name, platform, settings in (("a", "gpus", {"gpus": 2}), ("b", "ecs", {})):
        run = record(target=parse_target("https://gpus.example.com"), platform=platform, settings=settings)
        write_run(tmp_path / "runs" / name, [sample(0, 100), sample(1000, 120)], run)
    summary = read_run(tmp_path / "runs" / "a")
    assert (summary.run.platform, summary.run.label) == ("gpus", "GPU pool 2 GPUs")
    (costs,) = compare_costs([summary, read_run(tmp_path / "runs" / "b")], load_prices(), date.today())
    assert [option.label for option in costs.options] == ["GPU pool 2 GPUs", "ECS"]
    assert costs.options[0].usd_per_1000 == pytest.approx(2 * 2 * 0.089 / 3.6)
    assert [(even.cheaper_below, even.cheaper_above) for even in costs.break_evens] == [("GPU pool 2 GPUs", "ECS")]
    page = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "runs"), "--output", str(page), "--markdown", "--priced", "gpus=4"]) == 0
    assert "GPU pool 2 GPUs" in page.read_text()
    markdown = page.with_suffix(".md").read_text()
    assert "| GPU pool 2 GPUs | $0.20 | $0.00 | – |" in markdown and "2 USD per GPU-hour." in markdown


@pytest.mark.usefixtures("gpus")
def test_a_made_up_platform_can_stand_in_a_matrix(tmp_path: Path) -> None:
    matrix = tmp_path / "m.yaml"
    matrix.write_text("profiles: [single]\nplatforms: [{platform: gpus, settings: {gpus: 3}}]")
    (size,) = load_matrix(str(matrix)).platforms
    assert (size.platform, size.settings) == ("gpus", BatchSettings(gpus=3))
