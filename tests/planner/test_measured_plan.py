"""The README shows the plan that is in the repository, which comes from the committed runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.report.figures import usd
from local.checkout import ROOT

MEASURED = ROOT / "loadtest" / "measured"
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def plan() -> Any:
    return json.loads((MEASURED / "plan.json").read_text())


def test_the_plan_is_of_committed_runs(plan: Any) -> None:
    there = {folder.name for name in ("runs", "more") for folder in (MEASURED / name).iterdir()}
    assert set(plan["measured"]["runs"]) <= there
    assert plan["complete"]


def test_the_readme_has_the_decision(plan: Any) -> None:
    (decision,) = [
        line.removeprefix("**Decision.** ")
        for line in (MEASURED / "plan.md").read_text().splitlines()
        if line.startswith("**Decision.**")
    ]
    assert decision.replace("\\", "") in " ".join(README.split())


def test_the_readme_has_the_map_of_shapes_and_volumes(plan: Any) -> None:
    found = plan["heat_map"]
    for shape, platforms, bills in zip(found["shapes"], found["platform"], found["usd"], strict=True):
        cells = [f"{one} {usd(bill)}" if one else "none" for one, bill in zip(platforms, bills, strict=True)]
        assert f"| {shape} | {' | '.join(cells)} |" in README
    volumes = " | ".join(f"{volume:,}" for volume in found["pictures_per_month"])
    assert f"| pictures a month | {volumes} |" in README
