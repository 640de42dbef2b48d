"""Books with other values: validated, and with a source."""

from __future__ import annotations

import re
from typing import Any

import pytest

from planner.containers.changes import with_changes
from planner.errors import RulesError
from planner.scaling.books import load_book, names


@pytest.mark.parametrize("name", names())
def test_a_book_without_changes_is_the_same(name: str) -> None:
    assert with_changes(load_book(name)) == load_book(name)
    assert with_changes(load_book(name)).assumptions() == load_book(name).assumptions()


def test_what_is_changed_is_searched_and_the_rest_keeps_its_source() -> None:
    before = load_book("ecs")
    after = with_changes(before, min_replicas=2, max_replicas=8, target_percent=55.5, cores=1.75)
    assert (after.scaler.min_replicas, after.scaler.max_replicas) == (2, 8)
    assert (after.replica.cores, after.replica.request_cores) == (1.75, 1.75)
    assert after.instances and after.instances.max_replicas == 8
    changed = {
        "scaler.min_replicas", "scaler.max_replicas", "scaler.target_percent", "replica.cores", "replica.request_cores",
        "instances.max_replicas",
    }  # fmt: skip
    sources = {one.name: one.source for one in after.assumptions()}
    assert {name for name, source in sources.items() if source == "searched"} == changed
    old = {one.name: one.source for one in before.assumptions()}
    assert {name: source for name, source in sources.items() if name not in changed} == {
        name: source for name, source in old.items() if name not in changed
    }
    assert before == load_book("ecs")


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "min_replicas 9 must be at most max_replicas 5": ("ecs", {"min_replicas": 9}),
    "scaler.hpa.target_percent: Input should be a valid integer": ("kubernetes", {"target_percent": 60.5}),
    "scaler.knative.target_percent: Extra inputs are not permitted": ("knative", {"target_percent": 60}),
    "replica.cores: Input should be greater than 0": ("fargate", {"cores": 0}),
}


@pytest.mark.parametrize(("message", "case"), WRONG.items(), ids=list(WRONG))
def test_values_that_the_rules_do_not_allow_are_refused(message: str, case: tuple[str, dict[str, Any]]) -> None:
    with pytest.raises(RulesError, match=re.escape(message)):
        with_changes(load_book(case[0]), **case[1])
