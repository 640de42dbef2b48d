"""The charts of a section: their rows, marks, looks and captions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtest.report.charts import charts
from loadtest.report.contents import Report, Section, sections, series
from loadtest.report.vega import Chart, Looks
from loadtest.results.summary import Point
from tests.loadtest.report.made_up import LAMBDA, SERVICE, TINY, W6, cost, info, latency, phase, section, summary, tried

ALL = [
    "Response time over time",
    "Mean response time per batch",
    "Answered and offered rate",
    "Response time after a gap",
    "Response time by size of picture",
    "Response time by number of users",
    "Cold and warm answers",
    "Mean time of each step",
    "Monthly cost",
]


def drawn(about: Section) -> dict[str, Chart]:
    """The charts of a section by title, the last one of each title."""
    looks = Looks(series(Report(about.runs, [], about.costs)))
    return {chart.title: chart for group in charts(about, looks).values() for chart in group}


def test_a_whole_comparison_has_every_chart() -> None:
    assert sorted(drawn(section(tried(), [cost()]))) == sorted(ALL)


def test_places_and_models_have_sections_of_their_own_with_aws_first() -> None:
    runs = tried("local", TINY) + tried("local", W6) + tried("aws", W6)
    divided = sections(Report(runs, [], [cost("local")]))
    assert [(part.where, part.model, len(part.costs)) for part in divided] == [
        ("aws", W6, 0), ("local", TINY, 0), ("local", W6, 1)
    ]  # fmt: skip
    for part in divided:
        assert {(run.run.where, run.run.model) for run in part.runs} == {(part.where, part.model)}
        runs_drawn = {row["run"] for chart in drawn(part).values() for row in chart.rows if "run" in row}
        assert runs_drawn <= {run.run.name for run in part.runs}


def test_a_platform_and_its_stand_in_have_the_same_look_in_every_chart() -> None:
    looks = Looks(series(Report(tried("aws") + tried("local"), [], [])))
    assert looks.colour(LAMBDA) == looks.colour(f"local {LAMBDA}") != looks.colour(SERVICE)
    assert looks.shape(SERVICE) == looks.shape(f"local {SERVICE}") != looks.shape(LAMBDA)
    for chart in drawn(section(tried())).values():
        colours = {key.text: key.colour for key in chart.legend}
        assert colours.get(LAMBDA, "var(--series-1)") == "var(--series-1)"
        assert colours.get(SERVICE, "var(--series-2)") == "var(--series-2)"


def test_thirty_platforms_have_thirty_looks() -> None:
    labels = [f"Lambda {size} MB" for size in range(128, 128 + 30)]
    looks = Looks(labels)
    assert len({(looks.colour(label), looks.shape(label)) for label in labels}) == 30


def test_platforms_are_sorted_by_size_and_not_alphabetically() -> None:
    runs = [summary(info(label)) for label in ("ECS t3a.large", "Lambda 10240 MB", "Lambda 512 MB", "Lambda 3000 MB")]
    assert series(Report(runs, [], [])) == ["Lambda 512 MB", "Lambda 3000 MB", "Lambda 10240 MB", "ECS t3a.large"]


def test_the_caption_names_the_gaps_with_cold_starts() -> None:
    assert drawn(section(tried()))["Response time after a gap"].caption == (
        "Cold starts: Lambda 3000 MB at minute 0, minute 31, minute 61."
    )


def test_the_break_even_is_marked_and_named() -> None:
    chart = drawn(section([], [cost()]))["Monthly cost"]
    assert chart.caption == "Pictures a month: ECS t3a.xlarge first becomes cheaper than Lambda 3000 MB at 2.4 million."
    marks = [layer["data"]["values"] for layer in chart.spec["layer"] if "data" in layer]
    assert [row["text"] for row in marks[0]] == ["2.4 million, $122"]


def test_the_caption_says_when_lines_never_cross() -> None:
    never = replace(cost(), break_evens=[replace(cost().break_evens[0], pictures_per_month=None, usd_per_month=None)])
    assert drawn(section([], [never]))["Monthly cost"].caption == "The lines do not cross: there is no break-even."


def test_phases_without_an_answer_stay_in_the_table() -> None:
    run = summary(phases=[phase("batch", "batch 1", 900.0), phase("batch", "batch 2", None, errors=10)])
    rows = drawn(section([run]))["Mean response time per batch"].rows
    assert [(row["phase"], row["mean_ms"]) for row in rows] == [("batch 1", pytest.approx(936)), ("batch 2", None)]


def test_a_run_without_answers_or_phases_has_the_remaining_charts() -> None:
    dead = summary(all=None, warm=None, steps_ms={}, points=[Point(0.0, 3, 3, 0, 60_000.0, 60_000.0)])
    assert list(drawn(section([dead]))) == ["Response time over time"]


def test_times_far_apart_have_a_logarithmic_axis_with_round_marks() -> None:
    run = summary(points=[Point(0.0, 1, 0, 0, 90.0, 90.0), Point(1.0, 1, 0, 0, 4000.0, 4000.0)])
    y = drawn(section([run]))["Response time over time"].spec["layer"][0]["encoding"]["y"]
    assert (y["scale"]["type"], y["axis"]["values"]) == ("log", [50, 100, 200, 500, 1000, 2000, 5000])


def test_cold_and_warm_answers_share_a_chart_and_platforms_without_cold_ones_are_named() -> None:
    chart = drawn(section([summary(cold=latency(2000.0, 9)), summary(info(SERVICE))]))["Cold and warm answers"]
    assert [(row["label"], row["state"]) for row in chart.rows] == [
        (LAMBDA, "warm"),
        (SERVICE, "warm"),
        (LAMBDA, "cold"),
    ]
    assert "No cold start occurred on ECS t3a.xlarge." in chart.caption


def test_every_column_of_a_table_is_in_every_row_and_every_chart_is_described() -> None:
    for chart in drawn(section(tried(), [cost()])).values():
        assert all(name in row for row in chart.rows for name, _ in chart.columns)
        assert chart.description.startswith(chart.title)
