"""The committed pages of benchmarks that have no other test of their page."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from bench import changes, first, load
from local.checkout import ROOT


@pytest.mark.parametrize("module", [changes, first, load])
def test_the_committed_page_is_that_of_its_figures(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    figures = json.loads((ROOT / "bench" / f"{name}.json").read_text())
    assert (ROOT / "bench" / f"{name}.md").read_text() == module.to_markdown(figures)


def samples(*milliseconds: float) -> dict[str, object]:
    return {"median_ms": sorted(milliseconds)[len(milliseconds) // 2], "samples_ms": list(milliseconds)}


def test_the_share_of_the_engine_is_the_median_of_the_rounds() -> None:
    """Each round has its own pair, so that a slow minute of the machine does not count for one side alone."""
    alone, case = samples(100, 200, 300), {"answer": samples(110, 200, 400)}
    assert load.share(alone, case) == pytest.approx(100 / 110)


@pytest.mark.parametrize(("answer_ms", "reached"), [(104.0, True), (106.0, False)])
def test_both_numbers_of_users_must_reach_the_goal(answer_ms: float, reached: bool) -> None:
    cases = [
        {"users": 9, "inferences": 1, "answer": samples(101)},
        {"users": 18, "inferences": 1, "answer": samples(answer_ms)},
        {"users": 9, "inferences": 2, "answer": samples(500)},
    ]
    assert load.reached({"alone": samples(100), "loaded": cases}) == reached
