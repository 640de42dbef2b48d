"""The time to the page's first paint."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from bench.paint import first_paint_ms, to_markdown
from local.browser import launched
from local.doors import LocalService


def test_the_page_says_median_quartiles_and_slowest() -> None:
    page = to_markdown([10.0, 20.0, 30.0, 40.0, 90.0], "2 cores, 2026-11-25")
    assert "median 30 ms [20, 40], slowest 90 ms; the goal is 200 ms" in page
    assert "2 cores, 2026-11-25." in page


@pytest.mark.slow
def test_a_real_page_has_a_first_paint(service: LocalService) -> None:
    with launched() as browser:
        assert isinstance(browser, Browser)
        assert 0 < first_paint_ms(browser, service.url) < 60_000
