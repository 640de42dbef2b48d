"""The HPA over time, against timelines worked out by hand and read off the real controller."""

from __future__ import annotations

import numpy as np
import pytest

from planner.scaling.books import load_book
from planner.scaling.fleet import Fleet
from planner.scaling.kubernetes import HpaScaler
from planner.scaling.rules import HpaRules
from planner.scaling.simulate import Simulation, simulate


def changes(replicas: np.ndarray) -> list[tuple[int, int]]:
    """The seconds after which another number of replicas holds, and the number."""
    return [(int(second) + 1, int(replicas[second])) for second in np.flatnonzero(np.diff(replicas)) + 1]


def test_one_to_five_under_a_step_takes_two_minutes_and_the_way_back_waits_for_the_window() -> None:
    demand = np.full(900, 0.7)
    demand[120:600] = 6.0
    timeline = simulate(demand, load_book("kubernetes"))
    # Beats are at 14, 29 ... s and see the window that ended 13 s earlier, at 1, 16 ... s.
    # The window that ends at 136 is the first that is all load: at 149 one full pod asks for 2. The second is ready at
    # 174, so that the window which ends at 196 is its first whole one: at 209 two full pods ask for 3. The third is
    # ready at 234, its first whole window ends at 256, and at 269 three ask for 5.
    # At 599 60% of five pods still ask for 5. At 614 the window has 14 seconds of load and one without: 56% ask for 4.
    # At 629 7% ask for 1. The window of 60 s gives 4 at 659, when the 5 of 599 is 60 s old, and 1 a beat later.
    assert changes(timeline.wanted) == [(149, 2), (209, 3), (269, 5), (659, 4), (674, 1)]
    assert changes(timeline.ready) == [(174, 2), (234, 3), (294, 5), (659, 4), (674, 1)]


def test_without_a_behavior_the_way_down_waits_five_minutes() -> None:
    demand = np.full(1200, 0.7)
    demand[120:600] = 6.0
    # On this path a proposal that is exactly as old as the window still counts.
    assert changes(simulate(demand, load_book("kubernetes-default")).wanted)[-2:] == [(914, 4), (929, 1)]


@pytest.mark.parametrize(("sync_s", "expected"), [(15, 149), (60, 194)])
def test_the_controller_decides_at_its_beats(sync_s: float, expected: int) -> None:
    demand = np.full(600, 0.7)
    demand[120:] = 2.0
    book = load_book("kubernetes")
    scaler = book.scaler
    assert isinstance(scaler, HpaRules)
    book = book.model_copy(update={"scaler": scaler.model_copy(update={"sync_s": sync_s})})
    assert changes(simulate(demand, book).wanted)[0] == (expected, 2)


def test_demand_within_the_tolerance_changes_nothing() -> None:
    demand = np.tile([1.3, 1.53], 450)
    assert changes(simulate(demand, load_book("kubernetes")).wanted) == []


def hpa() -> HpaRules:
    rules = load_book("kubernetes").scaler
    assert isinstance(rules, HpaRules)
    return rules


def test_the_replicas_at_the_first_beat_count_as_a_proposal() -> None:
    assert changes(simulate(np.full(300, 0.1), load_book("kubernetes"), replicas=5).wanted) == [(74, 1)]


def test_a_pod_that_becomes_ready_within_a_window_was_idle_before() -> None:
    # Without an initialization period the first window of a new pod counts.
    book = load_book("kubernetes").model_copy(update={"scaler": hpa().model_copy(update={"cpu_initialization_s": 0})})
    simulation = Simulation(book)
    scaler = simulation.scaler
    assert isinstance(scaler, HpaScaler)
    for now in range(1, 195):
        demand = 0.7 if now <= 120 else 2.0
        simulation.advance([now], [demand], [demand / simulation.ready(now)])
    # In the window from 166 to 181 the second pod is ready from 174 on. The means are (7 x 2 + 8 x 1) / 15 cores and
    # (7 x 0.05 + 8 x 1) / 15, together 2.02, which is 50% of 4 cores.
    assert scaler.percent == 50


def test_any_number_of_rows_and_pods_has_room() -> None:
    """A recording may have many rows in a second, and begin with more replicas than the rules allow."""
    book = load_book("kubernetes")
    scaler, fleet = HpaScaler(hpa(), book.replica), Fleet(book.replica, 50)
    for row in range(1, 8001):
        wanted = scaler.advance([row / 100], [0.0], [0.11], fleet)
        if wanted != len(fleet):
            changed_s = row / 100
            fleet.scale(wanted, changed_s)
    # 5% of the request asks for 4 of the 50, once the proposal of 50 that the first beat counts is 60 s old.
    assert scaler.percent == 5
    assert (changed_s, len(fleet)) == (74, 4)


def test_a_proposal_is_as_old_as_its_beat_and_not_as_the_row_that_shows_it() -> None:
    book = load_book("kubernetes")
    scaler = HpaScaler(hpa(), book.replica, [10.1, 70.15], [5.0])
    fleet = Fleet(book.replica, 5)
    wanted = [scaler.advance([at_s], [0.0], [0.0], fleet) for at_s in (5.0, 10.9, 40.0, 70.2)]
    assert wanted == [5, 5, 5, 1]
