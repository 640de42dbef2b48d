"""The simulation itself: its bounds, and that its long strides change nothing."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from numpy.typing import ArrayLike

from planner.errors import TrafficError
from planner.scaling.books import Book, load_book, names
from planner.scaling.simulate import MOST_SECONDS, Simulation, simulate

WRONG = {
    "has shape (0,)": [],
    "has shape (2, 2)": np.ones((2, 2)),
    "at second 1 is nan": [1, np.nan],
    "at second 0 is -1": [-1, 2],
    "at second 2 is inf": [1, 2, np.inf],
    f"at most {MOST_SECONDS}": np.broadcast_to(1.0, MOST_SECONDS + 1),
}


@pytest.mark.parametrize(("message", "demand"), WRONG.items(), ids=list(WRONG))
def test_a_demand_that_cannot_be_simulated_is_refused(message: str, demand: ArrayLike) -> None:
    with pytest.raises(TrafficError, match=re.escape(message)):
        simulate(demand, load_book("kubernetes"))


@pytest.mark.parametrize("replicas", [0, 6])
def test_replicas_at_the_start_must_be_within_the_rules(replicas: int) -> None:
    with pytest.raises(TrafficError, match=f"{replicas} replicas at the start .* take from 1 to 5"):
        simulate([1.0], load_book("kubernetes"), replicas=replicas)


def second_by_second(demand: np.ndarray, book: Book) -> list[tuple[int, int, int]]:
    """The same simulation without strides."""
    simulation = Simulation(book)
    rows = []
    for now, cores in enumerate(demand.tolist(), 1):
        count = simulation.ready(now)
        use = min(cores / count, book.replica.cores) if count else 0.0
        wanted = simulation.advance([now], [cores], [use])
        rows.append((wanted, simulation.ready(now), simulation.hosts))
    return rows


@pytest.mark.parametrize("name", names())
@pytest.mark.slow
def test_strides_from_one_decision_to_the_next_give_what_single_seconds_give(name: str) -> None:
    random = np.random.default_rng(1)
    demand = np.repeat(random.choice([0.0, 0.3, 2.0, 5.0, 9.0], 60), random.integers(10, 300, 60))
    timeline = simulate(demand, load_book(name))
    rows = list(zip(timeline.wanted.tolist(), timeline.ready.tolist(), timeline.instances.tolist(), strict=True))
    assert rows == second_by_second(demand, load_book(name))
    assert len({row[0] for row in rows}) > 2


@pytest.mark.parametrize("name", names())
@pytest.mark.slow
def test_a_day_is_simulated_in_seconds(name: str) -> None:
    demand = 3 + 2.9 * np.sin(np.arange(86_400) / 86_400 * 2 * np.pi)
    begin = time.process_time()
    timeline = simulate(demand, load_book(name))
    assert time.process_time() - begin < 5
    assert (timeline.wanted >= timeline.ready).all()
    assert timeline.wanted.max() == timeline.ready.max() >= 2
