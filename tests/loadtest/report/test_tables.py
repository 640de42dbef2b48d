"""The tables of a report as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from dataclasses import replace

from loadtest.report.tables import comparison, to_csv, to_json, to_markdown
from loadtest.results.summary import Skipped
from tests.loadtest.report.made_up import HOSTILE, SERVICE, cost, info, latency, summary, tried

SKIPPED = [Skipped("z", "no run.json in it"), Skipped("a", "broken")]


def test_the_table_of_an_open_profile_has_the_offered_rate() -> None:
    runs = [run for run in tried() if run.run.profile == "burst"]
    headings, rows = comparison(runs)
    assert headings == [
        "Platform", "Requests", "Errors", "p50", "p95", "p99", "Max", "Warm p50", "Cold p50", "Answered per s",
        "Offered per s", "Corrected p95", "Notes",
    ]  # fmt: skip
    assert [cell.text for cell in rows[1]] == [
        SERVICE, "63", "0%", "4,000", "5,200", "5,920", "6,880", "4,000", "–", "0.7", "0.7", "5,252", ""
    ]  # fmt: skip
    assert (rows[1][3].small, rows[1][8].small) == ("[3,880, 4,120]", "0 cold")


def test_the_table_of_a_closed_profile_has_no_offered_rate() -> None:
    headings, rows = comparison([summary(cold=latency(2000.0, 3))])
    assert "Offered per s" not in headings and len(headings) == len(rows[0])
    assert (rows[0][8].text, rows[0][8].small) == ("2,000", "3 cold")


def test_percentiles_of_too_few_answers_are_marked_everywhere() -> None:
    run = summary(all=latency(900.0, 19), warm=latency(900.0, 1), cold=latency(2000.0, 100))
    _, rows = comparison([run])
    assert [cell.small for cell in rows[0][3:8]] == [
        "[873, 927]",
        "[1,100, 1,240] max of 19",
        "max of 19",
        "",
        "max of 1",
    ]
    text = to_markdown([run], [], [])
    assert "max of N: N answers are too few for the percentile" in text and "1,332 max of 19" in text
    (row,) = csv.DictReader(io.StringIO(to_csv([run])))
    assert (row["too_few"], row["warm_too_few"], row["cold_too_few"]) == ("p95 p99", "p50 p90 p95 p99", "")
    (made,) = json.loads(to_json([run], [], []))["runs"]
    assert (made["all"]["too_few"], made["cold"]["too_few"], made["corrected"]) == (["p95", "p99"], [], None)


def test_markdown_lists_errors_by_code() -> None:
    text = to_markdown([summary(errors={"overloaded": 1200, "Read timed out": 1})], [], [])
    assert "- aws-lambda-steady-yolov7-w6: errors: 1,200 overloaded, 1 Read timed out" in text


def test_notes_name_status_and_warnings() -> None:
    broken = summary(replace(info(), status="interrupted"), warnings=["one", "two"])
    _, rows = comparison([broken, summary(warnings=["one"]), summary()])
    assert [row[-1].text for row in rows] == ["interrupted, 2 warnings", "1 warning", ""]


def test_a_run_without_answers_has_dashes() -> None:
    _, rows = comparison([summary(all=None, warm=None, answered=0, errors={"timeout": 100}, throughput_per_s=0.0)])
    assert [cell.text for cell in rows[0][1:-1]] == ["100", "100%", "–", "–", "–", "–", "–", "–", "0"]


def test_markdown_has_the_summary_the_tables_the_costs_and_skipped_runs() -> None:
    text = to_markdown(tried("aws") + tried("local"), SKIPPED, [cost("aws")])
    aws, _, local = text.partition("## yolov7-w6:5f0c1a2b3c4d: local stand-in, not AWS")
    assert "**Cold.** The median of cold starts is 1,980 ms on Lambda 3000 MB" in aws
    assert "| ECS t3a.xlarge aws-ecs-steady-yolov7-w6 | 15 | 0% | 800 \\[776, 824\\] |" in aws
    assert "| Lambda 3000 MB | $0.051 | $0.00 | – |" in aws
    assert "local " not in aws and "aws-" not in local
    assert "> Local stand-ins on one machine, not AWS" in local
    assert local.endswith("## Skipped runs\n\n- z: no run.json in it\n- a: broken\n")


def test_markdown_says_that_there_are_no_runs() -> None:
    assert to_markdown([], [], []) == "# YOLOv7 under load\n\nNo runs: there is nothing to compare yet.\n"


def test_markdown_escapes_hostile_names() -> None:
    text = to_markdown([summary(replace(info(), label=f"a|b\n{HOSTILE}"))], [Skipped("x", "<img src=x>")], [])
    assert "| a\\|b \\<script\\>alert(1)" in text
    assert "\\<img src=x\\>" in text


def test_csv_has_one_row_per_run_and_units_in_the_names() -> None:
    runs = tried("local")
    rows = list(csv.DictReader(io.StringIO(to_csv(runs))))
    assert [row["run"] for row in rows] == sorted(run.run.name for run in runs)
    steady = next(row for row in rows if row["run"] == "local-ecs-steady-yolov7-w6")
    wanted = {
        "where": "local", "label": "local ECS t3a.xlarge", "requests": "15", "error_percent": "0.0",
        "offered_per_s": "0.5", "p50_ms": "800.0", "p50_low_ms": "776.0", "warm_p95_ms": "1040.0", "cold_p50_ms": "",
        "corrected_p50_ms": "808.0", "detect_mean_ms": "672.0", "lag_p95_ms": "1.4", "warnings": "",
    }  # fmt: skip
    assert {name: steady[name] for name in wanted} == wanted


def test_csv_columns_do_not_depend_on_the_runs() -> None:
    assert to_csv([]).splitlines() == to_csv(tried()).splitlines()[:1]


def test_csv_quotes_what_needs_it() -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv([summary(warnings=['a, "b"', "c\nd"])])))
    assert row["warnings"] == 'a, "b"; c\nd'


def test_json_has_everything_in_order_and_a_version() -> None:
    runs = tried()
    content = json.loads(to_json(runs, SKIPPED, [cost()]))
    assert list(content) == sorted(content) == ["costs", "runs", "schema", "skipped"]
    assert content["schema"] == 1
    by_name = sorted(runs, key=lambda run: run.run.name)
    expected = [dataclasses.asdict(run) for run in by_name]
    for run in expected:
        run["run"]["settings"] = run["run"]["settings"].given
    assert content["runs"] == json.loads(json.dumps(expected))
    assert [run["name"] for run in content["skipped"]] == ["a", "z"]


def test_the_order_of_runs_does_not_change_json_or_csv() -> None:
    runs = tried()
    assert to_json(runs, [], []) == to_json(runs[::-1], [], []) and to_csv(runs) == to_csv(runs[::-1])
