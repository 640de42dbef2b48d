"""One decision of the HPA, case by case as kube-controller-manager 1.34 decides."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from planner.scaling import hpa
from planner.scaling.hpa import MISSING, UNKNOWN, HpaNumbers, is_unready, numbers_of
from planner.scaling.rules import SCALE_DOWN, SCALE_UP, Behavior, Direction, HpaRules, Policy

Times = tuple[float, float, float]
Timed = tuple[float, int]  # A number with its time, seconds.

REQUEST = 2000  # thousandths of a core
NOW = 1000.0
# Pods by the times at which they were created, their container started and they became ready, seconds.
READY = (0.0, 5.0, 10.0)
NEW = (940.0, 945.0, 980.0)
STARTING = (980.0, 990.0, math.inf)
PENDING = (980.0, math.inf, math.inf)


def numbers(**rules: object) -> HpaNumbers:
    given = HpaRules.model_validate({"max_replicas": 100, "target_percent": 70} | rules)
    return numbers_of(given, REQUEST / 1000)


RULES = numbers()


def propose(given: Sequence[tuple[Times, int | None]], rules: HpaNumbers = RULES) -> tuple[int, int]:
    """The proposal for pods with these times and metrics, thousandths of a core."""
    times, metrics = zip(*given, strict=True)
    millicores = np.array([MISSING if metric is None else metric for metric in metrics])
    return hpa.propose(np.array(times), millicores, 990.0, rules, NOW)


def rows(earlier: Sequence[Timed]) -> np.ndarray:
    return np.array(earlier, np.float64).reshape(-1, 2)


def stabilize(proposed: int, current: int, earlier: Sequence[Timed], rules: HpaNumbers) -> int:
    return hpa.stabilize(proposed, current, rows(earlier), rules, NOW)


def limit(wanted: int, current: int, added: Sequence[Timed], removed: Sequence[Timed], rules: HpaNumbers) -> int:
    return hpa.limit(wanted, current, rows(added), rows(removed), rules, NOW)


# Pods with their use in percent of the request (None: not in the metrics), and the proposal: replicas and utilization,
# UNKNOWN where nothing is decided.
PROPOSALS = {
    "above the target": ([(READY, 100), (READY, 100)], (3, 100)),
    "below the target": ([(READY, 10)] * 5, (1, 10)),
    "the top of the tolerance is within it": ([(READY, 77)], (1, 77)),
    "one percent more is not": ([(READY, 78)], (2, 78)),
    "the bottom of the tolerance is within it": ([(READY, 63)] * 4, (4, 63)),
    "one percent less is not": ([(READY, 62)] * 10, (9, 62)),
    "a pending pod counts as idle on the way up": ([(READY, 100), (PENDING, None)], (2, 100)),
    "which may leave a change within the tolerance": ([(READY, 100)] * 3 + [(PENDING, None)], (4, 100)),
    "or not": ([(READY, 100)] * 4 + [(PENDING, None)], (6, 100)),
    "a pending pod is left out on the way down": ([(READY, 30)] * 3 + [(PENDING, None)], (2, 30)),
    "a pod whose window began before it was ready counts as idle": ([(READY, 100), (NEW, 100)], (2, 100)),
    "a running pod that is not ready counts as idle": ([(READY, 100), (STARTING, 90)], (2, 100)),
    "a missing pod counts as idle on the way up": ([(READY, 100), (READY, None)], (2, 100)),
    "a missing pod counts as full on the way down": ([(READY, 30)] * 3 + [(READY, None)], (3, 30)),
    "a missing pod does not turn down into up": ([(READY, 60), (READY, None)], (2, 60)),
    "only missing pods decide nothing": ([(READY, None), (READY, None)], (2, UNKNOWN)),
    "only pods that are not ready decide nothing": ([(STARTING, 90), (PENDING, None)], (2, UNKNOWN)),
}  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), PROPOSALS.values(), ids=PROPOSALS)
def test_the_metrics_ask_for_replicas(given: list[tuple[Times, int | None]], expected: tuple[int, int]) -> None:
    metrics = [(pod, None if percent is None else percent * REQUEST // 100) for pod, percent in given]
    assert propose(metrics) == expected


def test_a_missing_pod_counts_as_the_target_where_the_target_is_above_the_request() -> None:
    pods = [(READY, 60 * REQUEST // 100)] * 3 + [(READY, None)] * 2
    # (3 x 60 + 2 x 200) / 5 = 116% of the request, 0.58 of the target.
    assert propose(pods, numbers(target_percent=200)) == (3, 60)


def test_utilization_is_rounded_down_before_it_is_compared() -> None:
    assert propose([(READY, 1540), (READY, 1579)]) == (2, 77)  # 77.975%


@pytest.mark.parametrize(
    ("ready", "started_s", "changed_s", "end_s", "expected"),
    [
        (True, 900.0, 970.0, 984.0, True),
        (True, 900.0, 970.0, 985.0, False),
        (False, 900.0, 900.0, 990.0, True),
        # After five minutes a pod counts, unless it has never been ready.
        (True, 700.0, 990.0, 990.0, False),
        (False, 700.0, 700.0, 990.0, True),
        (False, 700.0, 800.0, 990.0, False),
    ],
)
def test_a_new_pod_counts_once_a_whole_window_has_passed_since_it_became_ready(
    ready: bool, started_s: float, changed_s: float, end_s: float, expected: bool
) -> None:
    assert is_unready(ready, started_s, changed_s, end_s, RULES, NOW) is expected


def behavior(*, up: Direction = SCALE_UP, down: Direction = SCALE_DOWN) -> HpaNumbers:
    return numbers(behavior=Behavior(up=up, down=down))


def test_the_way_down_waits_for_the_highest_proposal_of_the_window() -> None:
    rules = behavior(down=SCALE_DOWN.model_copy(update={"stabilization_s": 60}))
    earlier = [(939.9, 9), (940, 7), (955, 4), (970, 3)]
    assert stabilize(2, 5, earlier, rules) == 4


def test_the_way_up_waits_for_the_lowest_proposal_of_the_window() -> None:
    rules = behavior(up=SCALE_UP.model_copy(update={"stabilization_s": 30}))
    earlier = [(960, 1), (971, 6), (985, 8)]
    assert stabilize(9, 5, earlier, rules) == 6


def test_by_default_the_way_up_does_not_wait_and_the_way_down_waits_five_minutes() -> None:
    earlier = [(699, 9), (701, 5), (985, 2)]
    assert [stabilize(8, 5, earlier, behavior()), stabilize(1, 5, earlier, behavior())] == [8, 5]


def test_without_a_behavior_only_the_way_down_is_stabilized() -> None:
    assert stabilize(1, 5, [(700, 6), (800, 3)], RULES) == 6


def test_without_a_behavior_replicas_at_most_double_or_rise_to_four() -> None:
    assert [limit(50, current, [], [], RULES) for current in (1, 2, 3, 10)] == [4, 4, 6, 20]


ADD_2 = Policy(type="Pods", value=2, period_s=60)
ADD_HALF = Policy(type="Percent", value=50, period_s=60)


@pytest.mark.parametrize(
    ("select", "wanted", "expected"),
    [("Max", 50, 15), ("Min", 50, 12), ("Disabled", 50, 10), ("Max", 1, 5), ("Min", 1, 8), ("Disabled", 1, 10)],
)
def test_a_policy_limits_how_much_changes_in_a_period(select: str, wanted: int, expected: int) -> None:
    direction = Direction.model_validate({"policies": (ADD_2, ADD_HALF), "select": select})
    assert limit(wanted, 10, [], [], behavior(up=direction, down=direction)) == expected


def test_what_changed_within_the_period_counts_against_the_policy() -> None:
    direction = Direction(policies=(ADD_2,))
    rules = behavior(up=direction, down=direction)
    added, removed = [(940, 9), (941, 1)], [(930, 9), (990, 2)]
    assert limit(50, 10, added, [], rules) == 11
    assert limit(1, 10, [], removed, rules) == 10
    # The period began with 10 - 1 + 2 replicas.
    assert [limit(50, 10, added, removed, rules), limit(1, 10, added, removed, rules)] == [13, 9]


def test_replicas_stay_within_their_bounds() -> None:
    rules = numbers(min_replicas=2, max_replicas=5, behavior=Behavior())
    assert [limit(9, 4, [], [], rules), limit(1, 4, [], [], rules)] == [5, 2]
