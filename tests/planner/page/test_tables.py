"""A plan as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from planner.page.tables import COLUMNS, to_csv, to_json, to_markdown
from planner.plan.types import Plan
from tests.loadtest.report.made_up import HOSTILE
from tests.planner.page.made_up import estimate, large, outcomes, plan


def markdown(about: Plan) -> str:
    return to_markdown(about, "2026-11-24 12:00 UTC", "python -m planner plan")


def strict(text: str) -> Any:
    """JSON without NaN and infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_markdown_has_the_decision_the_configurations_and_every_assumption() -> None:
    text = markdown(plan())
    assert text.startswith("# Plan: office-hours\n\n2026-11-24 12:00 UTC, python -m planner plan\n\n**Decision.** ")
    assert "| Lambda 1769 MB **cheapest** | meets | $71.40 ($69.97 to $72.83) | 1.24 (1.23 to 1.25) |" in text
    assert "| Fargate 2 vCPU, 2 tasks **runner-up** | meets |" in text
    assert "| misses (p95 3.09 s \\> 2 s) |" in text
    tables = (plan().turns, plan().outcomes, plan().assumptions)
    assert text.count("\n| ") == sum(2 + len(rows) for rows in tables)
    assert "| ten times the traffic | Fargate 2 vCPU, 2 tasks (close) | $655 ($635 to $675) |" in text
    assert "| price of a GB-second | 0.0000166667 USD | https://aws.amazon.com/lambda/pricing/, 2026-11-02 |" in text


def test_markdown_escapes_hostile_names() -> None:
    text = to_markdown(plan(outcomes=[replace(outcomes()[0], label=f"a|b\n{HOSTILE}")]), HOSTILE, "a `b`\n<script>")
    assert "a\\|b \\<script\\>alert(1)" in text
    assert ", a \\`b\\` \\<script\\>\n" in text
    assert "<script" not in text.replace("\\<script", "")


def test_csv_has_one_row_per_configuration_and_units_in_the_names() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(plan()))))
    assert [row["label"] for row in rows] == [one.label for one in plan().outcomes]
    wanted = {
        "platform": "Fargate", "role": "runner-up", "meets": "yes", "misses": "", "settings": "vcpu=2; min_tasks=2",
        "p50_s": "1.02", "p50_s_low": "1.0098", "usd": "187.2", "errors": "0.0",
        "bill": "instances=164.736; load balancer=22.464",
    }  # fmt: skip
    assert {name: rows[2][name] for name in wanted} == wanted
    assert (rows[0]["role"], rows[-1]["meets"], rows[-1]["misses"]) == ("cheapest", "no", "errors 0.4% > 0.1%")


def test_csv_columns_do_not_depend_on_the_plan_and_unknown_values_are_empty() -> None:
    first = outcomes()[0]
    none = replace(first, figures=replace(first.figures, usd=None, p95_s=estimate(math.nan)))
    assert to_csv(plan(outcomes=[])).splitlines() == [",".join(COLUMNS)]
    (row,) = csv.DictReader(io.StringIO(to_csv(plan(outcomes=[none]))))
    assert [row[name] for name in ("usd", "usd_low", "p95_s", "p95_s_high")] == [""] * 4


def test_json_has_everything_and_the_decision() -> None:
    content = strict(to_json(plan()))
    assert content["schema"] == 2
    assert (content["best"], content["runner_up"]) == ("Lambda 1769 MB", "Fargate 2 vCPU, 2 tasks")
    expected = json.loads(json.dumps(asdict(plan())))
    drawn = {"Lambda 1769 MB", "Fargate 2 vCPU, 2 tasks", "ECS t3a.xlarge, 2 tasks", "Kubernetes 2 cores, 3 pods"}
    for one in expected["outcomes"]:
        one["slices"] = one["slices"] if one["label"] in drawn else []
    assert {name: value for name, value in content.items() if name in expected} == expected


def test_json_is_strict_with_nan_infinity_and_numbers_of_numpy() -> None:
    first = outcomes()[0]
    odd = replace(
        first,
        figures=replace(first.figures, p95_s=estimate(math.nan), usd=replace(estimate(1.0), high=math.inf)),
        settings=MappingProxyType({"memory_mb": "1769"}),
        slices=[replace(first.slices[0], requests=np.int64(3), instances=np.float32(1.5))],  # type: ignore[arg-type]
    )
    (found,) = strict(to_json(plan(outcomes=[odd])))["outcomes"]
    assert found["figures"]["p95_s"] == {"value": None, "low": None, "high": None}
    assert found["figures"]["usd"]["high"] is None
    assert found["settings"] == {"memory_mb": "1769"}
    assert (found["slices"][0]["requests"], found["slices"][0]["instances"]) == (3, 1.5)


@pytest.mark.slow
def test_the_files_of_the_largest_plan_are_small() -> None:
    about = large()
    sizes = [len(text.encode()) for text in (to_json(about), to_csv(about), markdown(about))]
    assert max(sizes) < 2_000_000
