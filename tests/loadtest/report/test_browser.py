"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from local.browser import launched
from tests.browser import Opened, opened
from tests.loadtest.report.made_up import HOSTILE, TINY, info, page, points, summary, tried

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as opened_browser:
        yield opened_browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of runs in both places and of two models, one of them with a hostile label."""
    hostile = info(f"Lambda {HOSTILE}", where="local", model=TINY)
    extra = summary(hostile, points=points(900.0, tried()[0].phases))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page([*tried("aws"), *tried("local"), extra]))
    return path


@pytest.fixture(scope="module")
def desktop(browser: Browser, file: Path) -> Iterator[Opened]:
    found = opened(browser, file)
    yield found
    found.page.close()


def test_the_page_logs_nothing_and_loads_nothing_from_the_network(desktop: Opened, file: Path) -> None:
    assert desktop.console == []
    assert desktop.asked == [file.as_uri()]


def test_every_chart_has_its_marks_inside_its_frame(desktop: Opened) -> None:
    marks = desktop.page.eval_on_selector_all(
        "figure.chart",
        """figures => figures.map(figure => {
            const svg = figure.querySelector(".vega svg").getBoundingClientRect();
            const inside = box => box.left >= svg.left - 1 && box.right <= svg.right + 1 && box.top >= svg.top - 1;
            const marks = [...figure.querySelectorAll(".role-mark path")].map(mark => mark.getBoundingClientRect());
            return marks.length > 0 && marks.every(inside);
        })""",
    )
    assert len(marks) > 20 and all(marks)


def test_colours_come_from_the_page(desktop: Opened) -> None:
    colours = desktop.page.eval_on_selector_all(
        "figure.chart:first-of-type .mark-symbol path", "marks => marks.map(mark => getComputedStyle(mark).fill)"
    )
    assert {"rgb(11, 98, 184)", "rgb(209, 89, 11)"} <= set(colours)


def test_hovering_over_a_mark_shows_its_values(desktop: Opened) -> None:
    chart = desktop.page.locator("figure.chart", has_text="Mean response time per batch").first
    chart.locator(".mark-rect path").first.hover()
    tooltip = desktop.page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    assert "Platform" in tooltip.inner_text() and "Mean, ms" in tooltip.inner_text()


def test_arrow_keys_move_over_the_marks_and_announce_them(desktop: Opened) -> None:
    chart = desktop.page.locator("figure.chart", has_text="Mean response time per batch").first
    plot, readout = chart.locator(".plot"), chart.locator("[aria-live]")
    plot.focus()
    readouts = []
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "End", "Home", "ArrowLeft"):
        plot.press(key)
        readouts.append(readout.inner_text())
    assert [text.split(" · Requests")[0] for text in readouts] == [
        "Platform Lambda 3000 MB · Run aws-lambda-batches-yolov7-w6 · Phase batch 1",
        "Platform Lambda 3000 MB · Run aws-lambda-batches-yolov7-w6 · Phase batch 2",
        "Platform ECS t3a.xlarge · Run aws-ecs-batches-yolov7-w6 · Phase batch 2",
        "Platform ECS t3a.xlarge · Run aws-ecs-batches-yolov7-w6 · Phase batch 4",
        "Platform Lambda 3000 MB · Run aws-lambda-batches-yolov7-w6 · Phase batch 1",
        "Platform Lambda 3000 MB · Run aws-lambda-batches-yolov7-w6 · Phase batch 1",
    ]
    assert chart.locator(".mark").is_visible()
    plot.press("Escape")
    assert readout.inner_text() == "" and chart.locator(".mark").is_hidden()


def test_arrow_keys_reach_every_value_of_a_chart(desktop: Opened) -> None:
    plots = desktop.page.locator("figure.chart .plot").all()
    for plot in plots:
        plot.focus()
        plot.press("End")
        text = plot.locator("..").locator(".readout").inner_text()
        assert text.startswith(("Platform ", "Users ", "Offered per s ", "Break-even of ")), text


def test_every_chart_has_its_values_as_a_table(desktop: Opened) -> None:
    chart = desktop.page.locator("figure.chart", has_text="Mean time of each step").first
    chart.locator("summary").click()
    chart.locator("tbody tr").nth(11).wait_for()
    assert chart.locator("thead").inner_text().strip().split("\t") == ["Platform", "Step", "Mean, ms", "Run"]
    assert chart.locator("tbody tr").nth(2).inner_text().split("\t")[:3] == ["Lambda 3000 MB", "detect", "756"]


def test_a_link_to_a_run_opens_it(desktop: Opened) -> None:
    desktop.page.locator("table.runs th a").first.click()
    assert desktop.page.locator("details.run[open]").count() == 1


@pytest.mark.parametrize("width", [320, 390, 800, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_never_scrolls_sideways(browser: Browser, file: Path, width: int, dark: bool) -> None:
    found = opened(browser, file, width=width, dark=dark)
    assert found.page.evaluate("document.documentElement.scrollWidth") == width
    found.page.close()


def test_dark_mode_changes_background_and_charts_while_the_page_is_open(browser: Browser, file: Path) -> None:
    found = opened(browser, file)

    def colours() -> tuple[str, str]:
        background = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
        mark = found.page.evaluate("getComputedStyle(document.querySelector('.mark-symbol path')).fill")
        return background, mark

    light = colours()
    found.page.emulate_media(color_scheme="dark")
    dark = colours()
    assert light == ("rgb(246, 247, 249)", "rgb(11, 98, 184)")
    assert dark == ("rgb(16, 21, 27)", "rgb(90, 169, 248)")
    found.page.close()


def test_paper_is_light_and_shows_the_runs(browser: Browser, file: Path) -> None:
    found = opened(browser, file, dark=True)
    found.page.emulate_media(media="print")
    assert found.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    found.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert found.page.locator("details.run:not([open])").count() == 0
    assert len(found.page.pdf(format="A4")) > 50_000
    found.page.close()
