"""One decision of the HPA, case by case as kube-controller-manager 1.34 decides."""

from __future__ import annotations

import pytest

from planner.scaling.hpa import Metric, Pod, Proposal, Timed, is_unready, limit, propose, stabilize
from planner.scaling.rules import SCALE_DOWN, SCALE_UP, Behavior, Direction, HpaRules, Policy

RULES = HpaRules(max_replicas=100, target_percent=70)
REQUEST = 2000  # thousandths of a core
NOW = 1000.0
READY = Pod(running=True, ready=True, started_s=0, changed_s=10)
NEW = Pod(running=True, ready=True, started_s=940, changed_s=980)
STARTING = Pod(running=True, ready=False, started_s=980, changed_s=980)
PENDING = Pod(running=False, ready=False, started_s=980, changed_s=980)

# Pods with their use in percent of the request (None: not in the metrics), and the proposal: replicas and utilization.
PROPOSALS = {
    "above the target": ([(READY, 100), (READY, 100)], Proposal(3, 100)),
    "below the target": ([(READY, 10)] * 5, Proposal(1, 10)),
    "the top of the tolerance is within it": ([(READY, 77)], Proposal(1, 77)),
    "one percent more is not": ([(READY, 78)], Proposal(2, 78)),
    "the bottom of the tolerance is within it": ([(READY, 63)] * 4, Proposal(4, 63)),
    "one percent less is not": ([(READY, 62)] * 10, Proposal(9, 62)),
    "a pending pod counts as idle on the way up": ([(READY, 100), (PENDING, None)], Proposal(2, 100)),
    "which may leave a change within the tolerance": ([(READY, 100)] * 3 + [(PENDING, None)], Proposal(4, 100)),
    "or not": ([(READY, 100)] * 4 + [(PENDING, None)], Proposal(6, 100)),
    "a pending pod is left out on the way down": ([(READY, 30)] * 3 + [(PENDING, None)], Proposal(2, 30)),
    "a pod whose window began before it was ready counts as idle": ([(READY, 100), (NEW, 100)], Proposal(2, 100)),
    "a running pod that is not ready counts as idle": ([(READY, 100), (STARTING, 90)], Proposal(2, 100)),
    "a missing pod counts as idle on the way up": ([(READY, 100), (READY, None)], Proposal(2, 100)),
    "a missing pod counts as full on the way down": ([(READY, 30)] * 3 + [(READY, None)], Proposal(3, 30)),
    "a missing pod does not turn down into up": ([(READY, 60), (READY, None)], Proposal(2, 60)),
    "only missing pods decide nothing": ([(READY, None), (READY, None)], None),
    "only pods that are not ready decide nothing": ([(STARTING, 90), (PENDING, None)], None),
}  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), PROPOSALS.values(), ids=PROPOSALS)
def test_the_metrics_ask_for_replicas(given: list[tuple[Pod, int | None]], expected: Proposal | None) -> None:
    pods = {name: pod for name, (pod, _) in enumerate(given)}
    metrics = {
        name: Metric(percent * REQUEST // 100, 990, 15)
        for name, (_, percent) in enumerate(given)
        if percent is not None
    }
    assert propose(len(given), pods, metrics, RULES, REQUEST, NOW) == expected


def test_a_missing_pod_counts_as_the_target_where_the_target_is_above_the_request() -> None:
    pods = {name: READY for name in range(5)}
    metrics = {name: Metric(60 * REQUEST // 100, 990, 15) for name in range(3)}
    rules = HpaRules(max_replicas=100, target_percent=200)
    # (3 x 60 + 2 x 200) / 5 = 116% of the request, 0.58 of the target.
    assert propose(5, pods, metrics, rules, REQUEST, NOW) == Proposal(3, 60)


def test_utilization_is_rounded_down_before_it_is_compared() -> None:
    pods = {0: READY, 1: READY}
    metrics = {0: Metric(1540, 990, 15), 1: Metric(1579, 990, 15)}
    assert propose(2, pods, metrics, RULES, REQUEST, NOW) == Proposal(2, 77)  # 77.975%


@pytest.mark.parametrize(
    ("pod", "end_s", "expected"),
    [
        (Pod(True, True, 900, 970), 984, True),
        (Pod(True, True, 900, 970), 985, False),
        (Pod(True, False, 900, 900), 990, True),
        # After five minutes a pod counts, unless it has never been ready.
        (Pod(True, True, 700, 990), 990, False),
        (Pod(True, False, 700, 700), 990, True),
        (Pod(True, False, 700, 800), 990, False),
    ],
)
def test_a_new_pod_counts_once_a_whole_window_has_passed_since_it_became_ready(
    pod: Pod, end_s: float, expected: bool
) -> None:
    assert is_unready(pod, Metric(100, end_s, 15), RULES, NOW) is expected


def behavior(*, up: Direction = SCALE_UP, down: Direction = SCALE_DOWN) -> HpaRules:
    return HpaRules(max_replicas=100, target_percent=70, behavior=Behavior(up=up, down=down))


def test_the_way_down_waits_for_the_highest_proposal_of_the_window() -> None:
    rules = behavior(down=SCALE_DOWN.model_copy(update={"stabilization_s": 60}))
    earlier = [Timed(939.9, 9), Timed(940, 7), Timed(955, 4), Timed(970, 3)]
    assert stabilize(2, 5, earlier, rules, NOW) == 4


def test_the_way_up_waits_for_the_lowest_proposal_of_the_window() -> None:
    rules = behavior(up=SCALE_UP.model_copy(update={"stabilization_s": 30}))
    earlier = [Timed(960, 1), Timed(971, 6), Timed(985, 8)]
    assert stabilize(9, 5, earlier, rules, NOW) == 6


def test_by_default_the_way_up_does_not_wait_and_the_way_down_waits_five_minutes() -> None:
    earlier = [Timed(699, 9), Timed(701, 5), Timed(985, 2)]
    assert [stabilize(8, 5, earlier, behavior(), NOW), stabilize(1, 5, earlier, behavior(), NOW)] == [8, 5]


def test_without_a_behavior_only_the_way_down_is_stabilized() -> None:
    assert stabilize(1, 5, [Timed(700, 6), Timed(800, 3)], RULES, NOW) == 6


def test_without_a_behavior_replicas_at_most_double_or_rise_to_four() -> None:
    assert [limit(50, current, [], [], RULES, NOW) for current in (1, 2, 3, 10)] == [4, 4, 6, 20]


ADD_2 = Policy(type="Pods", value=2, period_s=60)
ADD_HALF = Policy(type="Percent", value=50, period_s=60)


@pytest.mark.parametrize(
    ("select", "wanted", "expected"),
    [("Max", 50, 15), ("Min", 50, 12), ("Disabled", 50, 10), ("Max", 1, 5), ("Min", 1, 8), ("Disabled", 1, 10)],
)
def test_a_policy_limits_how_much_changes_in_a_period(select: str, wanted: int, expected: int) -> None:
    direction = Direction.model_validate({"policies": (ADD_2, ADD_HALF), "select": select})
    assert limit(wanted, 10, [], [], behavior(up=direction, down=direction), NOW) == expected


def test_what_changed_within_the_period_counts_against_the_policy() -> None:
    direction = Direction(policies=(ADD_2,))
    rules = behavior(up=direction, down=direction)
    added, removed = [Timed(940, 9), Timed(941, 1)], [Timed(930, 9), Timed(990, 2)]
    assert limit(50, 10, added, [], rules, NOW) == 11
    assert limit(1, 10, [], removed, rules, NOW) == 10
    # The period began with 10 - 1 + 2 replicas.
    assert [limit(50, 10, added, removed, rules, NOW), limit(1, 10, added, removed, rules, NOW)] == [13, 9]


def test_replicas_stay_within_their_bounds() -> None:
    rules = HpaRules(min_replicas=2, max_replicas=5, target_percent=70, behavior=Behavior())
    assert [limit(9, 4, [], [], rules, NOW), limit(1, 4, [], [], rules, NOW)] == [5, 2]
