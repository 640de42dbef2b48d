"""The HTML page of a report: sections, links, escaping, and pages without runs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from loadtest.report.page import to_html
from loadtest.results.summary import Skipped
from tests.loadtest.report.made_up import HOSTILE, LAMBDA, TINY, W6, cost, info, latency, page, phase, summary, tried
from tests.reader import Reader


@pytest.fixture(scope="module")
def whole() -> Reader:
    runs = tried("aws") + tried("local") + tried("local", TINY, 0.09)
    return Reader(page(runs))


def values(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """All data of a chart and of its layers."""
    parts = [spec, *spec["layer"]]
    return [row for part in parts if "data" in part for row in part["data"]["values"]]


def test_no_chart_has_runs_of_two_places_or_of_two_models(whole: Reader) -> None:
    assert len(whole.specs) > 20
    runs = {run.run.name: run.run for run in tried("aws") + tried("local") + tried("local", TINY)}
    wanted = {"section-1": ("aws", W6), "section-2": ("local", TINY), "section-3": ("local", W6)}
    for section, spec in whole.specs:
        for row in values(spec):
            if "run" in row:
                assert (runs[row["run"]].where, runs[row["run"]].model) == wanted[section]
            assert ("local " in row["label"]) == (wanted[section][0] == "local")


def test_no_section_names_a_platform_of_another_place(whole: Reader) -> None:
    assert "local Lambda" not in whole.sections["section-1"]
    assert re.search(rf"(?<!local ){LAMBDA}", whole.sections["section-3"]) is None
    assert "aws-lambda" not in whole.sections["section-3"] + whole.sections["section-2"]


def test_every_table_and_chart_of_local_runs_says_that_they_are_local(whole: Reader) -> None:
    text = whole.sections["section-3"]
    tables = 6 + 1  # One per profile, and that of the costs.
    charts = sum(section == "section-3" for section, _ in whole.specs)
    assert text.count("local stand-in, not AWS") >= 1 + tables + charts


def test_the_answer_comes_first_and_aws_before_local(whole: Reader) -> None:
    ids = [str(attributes["id"]) for attributes in whole.all("section")]
    assert ids == ["answer", "section-1", "section-2", "section-3", "skipped", "words"]
    assert "Up to 2.4 million pictures a month Lambda 3000 MB is the cheapest" in whole.sections["answer"]
    assert whole.sections["answer"].index("Lambda 3000 MB") < whole.sections["answer"].index("local Lambda 3000 MB")


def test_skipped_runs_have_their_reasons_and_the_glossary_is_there(whole: Reader) -> None:
    assert "samples.jtl is missing" in whole.sections["skipped"]
    assert "bootstrap" in whole.sections["words"] and "Corrected" in whole.sections["words"]


def test_a_run_shows_its_settings_and_its_command(whole: Reader) -> None:
    text = whole.sections["section-1"]
    for value in (
        "memory_mb",
        "9eba93d",
        "yolov7@sha256:1f3870be274f",
        "AMD EPYC, 2 processors",
        "python -m loadtest run",
    ):
        assert value in text


def test_a_dashboard_is_linked() -> None:
    path = "../a run/dashboard"
    assert {"href": "../a%20run/dashboard/index.html"} in Reader(page([summary(replace(info(), dashboard=path))])).all(
        "a"
    )


def test_without_a_dashboard_there_is_no_link() -> None:
    assert "JMeter's dashboard of this run" in page([summary()])
    assert "JMeter's dashboard of this run" not in page([summary(replace(info(), dashboard=None))])


@pytest.mark.parametrize(
    ("plan", "link"),
    [("../a plan/plan.html", "../a%20plan/plan.html"), ("javascript:alert(1)", "javascript%3Aalert%281%29")],
)  # fmt: skip
def test_a_plan_of_these_runs_is_linked(plan: str, link: str) -> None:
    reader = Reader(to_html([summary()], [], [], made="now", command="report", plan=plan))
    assert {"href": link} in reader.all("a")


def test_without_a_plan_there_is_no_link_to_one() -> None:
    assert "Plan for other traffic" not in page([summary()])


def test_every_link_inside_of_the_page_leads_somewhere(whole: Reader) -> None:
    ids = {attributes["id"] for _, attributes in whole.elements if "id" in attributes}
    links = [str(attributes["href"]) for attributes in whole.all("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    assert all(link.startswith("#") or link.endswith("/dashboard/index.html") for link in links)


def test_nothing_is_loaded_from_elsewhere(whole: Reader) -> None:
    assert not any("src" in attributes for _, attributes in whole.elements)
    assert [attributes["href"] for attributes in whole.all("link")] == ["data:,"]


@pytest.mark.parametrize("name", ["label", "target", "profile", "question", "command", "machine", "model", "name"])
def test_hostile_text_is_escaped(name: str) -> None:
    values: dict[str, Any] = {name: HOSTILE}
    run = summary(
        replace(info(), **values), warnings=[HOSTILE], errors={HOSTILE: 1}, phases=[phase("batch", HOSTILE, 900.0)]
    )
    reader = Reader(page([run], [Skipped(HOSTILE, HOSTILE)], []))
    assert "b" not in {tag for tag, _ in reader.elements}
    assert len(reader.all("script")) == len(reader.specs) + 2
    assert HOSTILE in reader.sections["skipped"]
    assert HOSTILE in reader.sections["section-1"]


def test_a_page_without_runs_says_so() -> None:
    html = page([], [], [])
    assert "There are no runs to compare yet." in html
    assert len(html) < 50_000


def test_a_page_of_skipped_runs_alone_names_them() -> None:
    assert "samples.jtl is missing" in Reader(page([], costs=[])).sections["skipped"]


def test_a_run_without_answers_is_shown_with_its_errors() -> None:
    dead = summary(
        replace(info(), status="failed"), all=None, warm=None, answered=0, errors={"timeout": 100}, steps_ms={},
        billed_ms=None, throughput_per_s=0.0, phases=[phase("users", "3 users", None, errors=10, throughput_per_s=0.0)],
    )  # fmt: skip
    reader = Reader(page([dead], [], []))
    assert "No request of any run was answered" in reader.sections["answer"]
    assert "timeout" in reader.sections["section-1"] and "failed" in reader.sections["section-1"]


def test_an_interrupted_run_has_a_flag_and_its_warnings() -> None:
    run = summary(replace(info(), status="interrupted"), warnings=["it was interrupted after 40 requests"])
    text = Reader(page([run], [], [])).sections["section-1"]
    assert "interrupted, 1 warning" in text and "it was interrupted after 40 requests" in text


def test_runs_of_two_commits_have_a_caution() -> None:
    runs = [summary(), summary(replace(info("ECS t3a.xlarge"), commit="ffffff0"))]
    assert "These runs have 2 different commits: 9eba93d, ffffff0." in Reader(page(runs, [], [])).sections["answer"]


def test_costs_without_runs_have_a_section() -> None:
    text = Reader(page([], [], [cost("aws")])).sections["section-1"]
    assert "$0.051" in text and "t3a.xlarge on demand." in text and "Instances are counted whole." in text


def test_percentiles_of_too_few_answers_are_marked_and_explained() -> None:
    text = page([summary(all=latency(900.0, 19), phases=[phase("batch", "batch 1", 900.0)])])
    assert '<td role="cell" data-heading="p99">1,332 <small>max of 19</small></td>' in text
    assert "max of N: N answers are too few for the percentile" in text and "<dt>max of N</dt>" in text
    assert '"too_few": "p95"' in text  # Of the chart's values.
