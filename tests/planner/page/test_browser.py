"""The page of a plan in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from local.browser import launched
from tests.browser import Opened, opened
from tests.loadtest.report.made_up import HOSTILE
from tests.planner.page.made_up import large, page, plan

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a plan whose warnings are hostile."""
    path = tmp_path_factory.mktemp("plan") / "plan.html"
    path.write_text(page(plan(warnings=[HOSTILE])))
    return path


@pytest.fixture(scope="module")
def desktop(browser: Browser, file: Path) -> Iterator[Opened]:
    found = opened(browser, file)
    yield found
    found.page.close()


INSIDE = """figures => figures.map(figure => {
    const svg = figure.querySelector(".vega svg").getBoundingClientRect();
    const inside = box => box.left >= svg.left - 1 && box.right <= svg.right + 1 && box.top >= svg.top - 1;
    const marks = [...figure.querySelectorAll(".role-mark path, .role-mark text")];
    return marks.length > 0 && marks.every(mark => inside(mark.getBoundingClientRect()));
})"""


def test_the_page_logs_nothing_and_loads_nothing_from_the_network(desktop: Opened, file: Path) -> None:
    assert desktop.console == []
    assert desktop.asked == [file.as_uri()]


@pytest.mark.parametrize("width", [390, 1280])
def test_every_chart_has_its_marks_and_texts_inside_its_frame(browser: Browser, file: Path, width: int) -> None:
    found = opened(browser, file, width=width)
    assert found.page.eval_on_selector_all("figure.chart", INSIDE) == [True] * 6
    found.page.close()


def test_the_charts_over_time_have_one_scale(desktop: Opened) -> None:
    edges = desktop.page.eval_on_selector_all(
        ".stack figure.chart",
        """figures => figures.map(figure => {
            const box = figure.querySelector(".role-axis-domain").getBoundingClientRect();
            return [Math.round(box.left), Math.round(box.right)];
        })""",
    )
    assert len(edges) == 4
    # A pixel may be lost to a label that is wider than the axis.
    assert all(max(side) - min(side) <= 1 for side in zip(*edges, strict=True))


def test_arrow_keys_announce_a_value_of_every_chart(desktop: Opened) -> None:
    readouts = []
    for plot in desktop.page.locator("figure.chart .plot").all():
        plot.focus()
        plot.press("End")
        readouts.append(plot.locator("..").locator(".readout").inner_text())
    assert [text.split(" ")[0] for text in readouts] == ["Platform"] * 4 + ["Configuration", "Platform"]
    assert "Configuration Kubernetes 2 cores, 3 pods" in readouts[-1] and "p95, s 1.2" in readouts[-1]


def test_every_chart_has_its_values_as_a_table(desktop: Opened) -> None:
    for chart in desktop.page.locator("figure.chart").all():
        chart.locator("summary").click()
        chart.locator("tbody tr").first.wait_for()
    last = desktop.page.locator("figure.chart").last
    assert last.locator("thead").inner_text().strip().split("\t") == [
        "Platform", "Configuration", "USD a month", "from", "to", "p95, s", "from, s", "to, s", "Objective"
    ]  # fmt: skip
    assert last.locator("tbody tr").first.inner_text().split("\t") == [
        "Lambda", "Lambda 1769 MB", "71.4", "69.97", "72.83", "1.612", "1.564", "1.66", "meets"
    ]  # fmt: skip


def test_the_heat_map_has_the_colours_of_the_charts_and_names(desktop: Opened) -> None:
    cells = desktop.page.eval_on_selector_all(
        ".heat td",
        "cells => cells.map(cell => [cell.innerText.split('\\n')[0], getComputedStyle(cell).backgroundColor])",
    )
    colours: dict[str, set[str]] = {}
    for name, colour in cells:
        colours.setdefault(name, set()).add(colour)
    assert set(colours) == {"Lambda", "Fargate", "ECS", "none meets it"}
    assert all(len(found) == 1 for found in colours.values()) and len(set.union(*colours.values())) == 4


@pytest.mark.parametrize("width", [320, 390, 800, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_never_scrolls_sideways(browser: Browser, file: Path, width: int, dark: bool) -> None:
    found = opened(browser, file, width=width, dark=dark)
    assert found.page.evaluate("document.documentElement.scrollWidth") == width
    found.page.close()


def test_paper_shows_the_bills(browser: Browser, file: Path) -> None:
    found = opened(browser, file, dark=True)
    found.page.emulate_media(media="print")
    found.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert found.page.locator("details.bill:not([open])").count() == 0
    assert found.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    found.page.close()


def test_the_largest_plan_is_drawn_without_warnings(browser: Browser, tmp_path: Path) -> None:
    long = large()
    about = replace(long, outcomes=[replace(one, label=f"{one.label} {'x' * 60}") for one in long.outcomes])
    path = tmp_path / "large.html"
    path.write_text(page(replace(about, cost_curve=None)))
    found = opened(browser, path, width=390)
    assert found.console == []
    assert found.page.evaluate("document.documentElement.scrollWidth") == 390
    assert all(found.page.eval_on_selector_all("figure.chart", INSIDE))
    found.page.close()
