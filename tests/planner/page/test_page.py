"""The page of a plan: its order, links, escaping, size, and plans that lack a part."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from planner.page.page import linked
from planner.plan.types import BillLine, HeatMap, Plan, Turn
from planner.scaling.books import Assumption
from tests.loadtest.report.made_up import HOSTILE
from tests.planner.page.made_up import MEASURED, TRAFFIC, estimate, large, outcomes, page, plan
from tests.reader import Reader

MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def whole() -> Reader:
    return Reader(page())


def test_the_decision_comes_first_then_configurations_charts_sources_and_glossary(whole: Reader) -> None:
    assert [attributes["id"] for attributes in whole.all("section")] == [
        "answer", "configurations", "charts-1", "charts-2", "heat", "sources", "assumptions", "words"
    ]  # fmt: skip
    assert "Lambda 1769 MB is the cheapest" in whole.sections["answer"]
    assert "The times come from local stand-ins" in whole.sections["answer"]
    assert "the prices of Fargate are older than a year" in whole.sections["answer"]


def test_every_configuration_has_its_verdict_and_its_bill(whole: Reader) -> None:
    text = whole.sections["configurations"]
    assert all(one.label in text for one in plan().outcomes)
    assert all(miss in text for one in plan().outcomes for miss in one.misses)
    assert len([one for one in whole.all("details") if one.get("class") == "bill"]) == len(plan().outcomes)
    assert "GB-seconds$62.83" in text and "cheapest" in text and "runner-up" in text


def test_traffic_runs_and_every_assumption_are_named(whole: Reader) -> None:
    for value in (
        "77,760",
        "24 h",
        "2.37 million",
        "131",
        "AMD EPYC, 2 processors",
        "9eba93d",
        "2026-11-22 to 2026-11-23",
    ):
        assert value in whole.sections["sources"]
    for one in plan().assumptions:
        assert one.name in whole.sections["assumptions"] and one.source in whole.sections["assumptions"]


def test_sources_on_the_web_are_links(whole: Reader) -> None:
    links = {attributes["href"] for attributes in whole.all("a")}
    assert {
        "https://aws.amazon.com/lambda/pricing/",
        "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html",
    } <= links


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("see https://a.b/c.", 'see <a href="https://a.b/c">https://a.b/c</a>.'),
        ("[AWS](https://a.b/c?d=1&e)", '[AWS](<a href="https://a.b/c?d=1&amp;e">https://a.b/c?d=1&amp;e</a>)'),
        ("javascript:alert(1) <b>", "javascript:alert(1) &lt;b&gt;"),
        ('https://a.b/"onclick=x', '<a href="https://a.b/">https://a.b/</a>&#34;onclick=x'),
    ],
)
def test_only_web_addresses_become_links(text: str, html: str) -> None:
    assert linked(text) == html


@pytest.mark.parametrize(
    ("report", "link"),
    [("../a b/report.html", "../a%20b/report.html"), ("javascript:alert(1)", "javascript%3Aalert%281%29")],
)
def test_the_report_of_the_same_runs_is_linked(report: str, link: str) -> None:
    assert {"href": link} in Reader(page(report=report)).all("a")


def test_without_a_report_there_is_no_link_to_one() -> None:
    assert "Load test report" not in page(report=None)


def test_every_link_inside_of_the_page_leads_somewhere(whole: Reader) -> None:
    ids = [attributes["id"] for _, attributes in whole.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [str(attributes["href"]) for attributes in whole.all("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)


def test_nothing_is_loaded_from_elsewhere(whole: Reader) -> None:
    assert not any("src" in attributes for _, attributes in whole.elements)
    assert [attributes["href"] for attributes in whole.all("link")] == ["data:,"]
    (policy,) = [str(one["content"]) for one in whole.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "http" not in policy


def test_regions_and_tables_have_names_and_column_headings(whole: Reader) -> None:
    assert all(one.get("aria-label") for one in whole.all("div") if one.get("role") in ("region", "application"))
    assert all(one.get("scope") in ("col", "row") for one in whole.all("th"))


HOSTILE_PLANS: dict[str, Callable[[], Plan]] = {
    "label": lambda: plan(outcomes=[replace(one, label=HOSTILE + one.label) for one in outcomes()], cost_curve=None),
    "platform": lambda: plan(outcomes=[replace(outcomes()[0], platform=HOSTILE)]),
    "settings": lambda: plan(outcomes=[replace(outcomes()[0], settings={HOSTILE: HOSTILE})]),
    "misses": lambda: plan(outcomes=[replace(outcomes()[0], misses=[HOSTILE])]),
    "bill": lambda: plan(outcomes=[replace(outcomes()[0], bill=[BillLine(HOSTILE, 1.0)])]),
    "objective": lambda: plan(objective=HOSTILE),
    "traffic": lambda: plan(traffic=replace(TRAFFIC, name=HOSTILE, source=HOSTILE)),
    "measured": lambda: plan(measured=replace(MEASURED, model=HOSTILE, machines=[HOSTILE], runs=[HOSTILE])),
    "assumption": lambda: plan(assumptions=[Assumption(HOSTILE, HOSTILE, HOSTILE)]),
    "warning": lambda: plan(warnings=[HOSTILE]),
    "turn": lambda: plan(turns=[Turn(HOSTILE, HOSTILE, estimate(1.0), close=True)]),
    "heat map": lambda: plan(heat_map=HeatMap([HOSTILE], [1e3], [[HOSTILE]], [[1.0]], [[1.0]], [[1.0]], [[True]])),
}


@pytest.mark.parametrize("name", HOSTILE_PLANS)
def test_hostile_text_is_escaped(name: str) -> None:
    reader = Reader(page(HOSTILE_PLANS[name]()))
    assert "b" not in {tag for tag, _ in reader.elements}
    assert len(reader.all("script")) == len(reader.specs) + 2
    # Spaces around signs may differ, as in the objective.
    assert HOSTILE in "".join(reader.sections.values())


@pytest.mark.slow
def test_the_page_of_the_largest_plan_is_below_two_megabytes() -> None:
    html = page(large(400, 600))
    assert len(html.encode()) < MOST_BYTES
    assert len(Reader(html).specs) == 6


def test_more_configurations_than_fit_are_counted_and_left_to_the_csv_file() -> None:
    html = page(large(600, 10))
    assert len(html.encode()) < MOST_BYTES
    assert "200 more are in the CSV file." in html


@pytest.mark.slow
def test_many_platforms_have_a_bounded_page() -> None:
    made = [replace(one, platform=f"platform {i}") for i, one in enumerate(large(400, 600).outcomes)]
    assert len(page(plan(outcomes=made)).encode()) < MOST_BYTES


def test_an_interrupted_plan_says_so_at_the_top() -> None:
    html = page(plan(complete=False))
    assert "10 configurations, interrupted" in html and "The search was interrupted" in html


def test_a_plan_without_configurations_has_a_small_page() -> None:
    empty: dict[str, Any] = {"outcomes": [], "turns": [], "cost_curve": None, "heat_map": None, "assumptions": []}
    html = page(plan(**empty))
    assert "No configuration was simulated" in html and len(html) < 50_000
    assert [one["id"] for one in Reader(html).all("section")] == ["answer", "sources", "assumptions", "words"]


def test_a_plan_without_slices_has_the_charts_of_cost() -> None:
    reader = Reader(page(plan(outcomes=[replace(one, slices=[]) for one in outcomes()])))
    assert [spec["description"].partition(".")[0] for _, spec in reader.specs] == [
        "Monthly cost by volume", "Cost and p95 of all configurations"
    ]  # fmt: skip


def test_no_figure_of_the_answer_stands_without_its_range() -> None:
    (lead,) = re.findall(r'<p class="lead">(.*?)</p>', page(), re.DOTALL)
    outside = re.sub(r"\([^)]* to [^)]*\)", "()", lead.partition(": it costs")[2])
    assert len(re.findall(r"(\$?[\d.]+(?: s|%)?(?: a month)?) \(\)", outside)) == 5
