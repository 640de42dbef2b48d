"""Spot instances: their bill, and what their interruptions hit at most, against a plain simulation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loadtest.cost.tariff import SECONDS_PER_MONTH
from planner.plan.evaluate import evaluate
from planner.plan.objective import parse_objective
from planner.plan.spot import Spot
from planner.scaling.books import load_book
from tests.planner.plan.test_simulate import ecs, every, world


def test_spot_instances_are_cheaper_and_interruptions_are_errors(tmp_path: Path) -> None:
    demand, given = every(tmp_path, 10), world(spot=Spot(0.6, 0.2))
    on_demand, spot = ecs(), replace(ecs(), spot=True)
    objective = parse_objective("p95<=2s")
    usual, cheaper = (evaluate(one, demand, given, objective, 1) for one in (on_demand, spot))
    assert (usual.label, cheaper.label) == ("ECS, 1 to 1", "ECS, 1 to 1, spot")
    bills = [{line.what: line.usd for line in one.bill} for one in (usual, cheaper)]
    list_price = bills[0].pop("t3a.xlarge instances")
    assert bills[1].pop("t3a.xlarge instances, spot, 60% off the list price") == pytest.approx(0.4 * list_price)
    assert bills[0] == bills[1]
    # One of five instances a month, each for a point of a minute, 90 s of boot and 43 s until the task is ready.
    assert usual.figures.errors.value == 0
    assert cheaper.figures.errors.value == pytest.approx(-np.log(0.8) * 193 / SECONDS_PER_MONTH)


def test_what_interruptions_hit_is_never_more_than_the_bound() -> None:
    random, book = np.random.default_rng(1), load_book("ecs")
    hit, months, instances = Spot(0.6, 0.2).hit(3, book), 20_000, 3
    # Every instance is interrupted at random times; while any one is being replaced, nothing is served.
    starts = np.sort(random.random(random.poisson(-np.log(0.8) * instances * months)) * months * SECONDS_PER_MONTH)
    down_s = np.minimum(np.diff(starts, append=np.inf), 193).sum()
    share = down_s / (months * SECONDS_PER_MONTH)
    assert share < hit * 1.03 and share == pytest.approx(hit, rel=0.03)
