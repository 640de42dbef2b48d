"""The traffic of a plan: counted, repeated until it is long enough, thinned and cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from planner.errors import TrafficError
from planner.plan.world import ENOUGH, Demand, measure
from planner.traffic import load_traffic
from planner.traffic.shapes import DAY_S
from planner.types import Floats


def demand(folder: Path, times: list[float]) -> Demand:
    file = folder / "times.csv"
    file.write_text("".join(f"{time}\n" for time in times))
    return measure(load_traffic(str(file)))


def every(folder: Path, seconds: float, length_s: float) -> Demand:
    return demand(folder, np.arange(0, length_s + 1, seconds).tolist())


def arrivals(one: Demand) -> Floats:
    return np.concatenate(list(one.chunks()))


def test_requests_and_the_busiest_minute_are_counted(tmp_path: Path) -> None:
    found = demand(tmp_path, [0, 30, 61, 62, 63, 200])
    assert (found.requests, found.busiest_minute, found.once_s) == (6, 3, 200)


def test_a_traffic_that_is_short_is_repeated_until_a_day_is_full(tmp_path: Path) -> None:
    found = every(tmp_path, 10, 3600)
    assert found.length_s == DAY_S
    times = arrivals(found)
    assert times.size == 24 * 361
    assert (np.diff(times) >= 0).all()
    np.testing.assert_allclose(times[361:722], times[:361] + 3600)


def test_a_traffic_with_few_requests_is_repeated_until_there_are_enough(tmp_path: Path) -> None:
    found = every(tmp_path, 600, DAY_S)  # 145 a day
    assert found.repeats == 14
    assert arrivals(found).size >= ENOUGH
    assert every(tmp_path, DAY_S / 2, DAY_S).repeats == 30


def test_a_long_traffic_is_not_repeated(tmp_path: Path) -> None:
    found = every(tmp_path, 60, 2 * DAY_S)
    assert (found.repeats, found.length_s) == (1, 2 * DAY_S)


def test_less_traffic_keeps_each_request_by_chance(tmp_path: Path) -> None:
    found = every(tmp_path, 1, DAY_S).scaled(0.25)
    times = arrivals(found)
    assert times.size == pytest.approx(DAY_S / 4, rel=0.03)
    assert found.per_s == pytest.approx(0.25, rel=1e-4)
    np.testing.assert_array_equal(times, arrivals(found))


def test_more_traffic_has_more_requests_in_the_same_time(tmp_path: Path) -> None:
    found = every(tmp_path, 10, DAY_S).scaled(3)
    assert found.requests == 3 * 8641
    assert found.scaled(0.5).per_s == pytest.approx(1.5 * 0.1, rel=1e-3)


def test_a_limited_traffic_ends_after_whole_days(tmp_path: Path) -> None:
    found = every(tmp_path, 10, 5 * DAY_S)
    limited = found.limited(20_000)
    assert limited.length_s == 2 * DAY_S
    assert arrivals(limited).size == pytest.approx(2 * 8640, abs=1)
    assert arrivals(limited)[-1] < 2 * DAY_S
    assert found.limited(10).length_s == DAY_S
    assert found.limited(10**9) is found


def test_a_traffic_without_requests_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "counts.csv"
    file.write_text("0,0\n1,0\n")
    with pytest.raises(TrafficError, match="counts has no requests at scale 1"):
        measure(load_traffic(str(file)))
