"""One decision of the Kubernetes HPA, as kube-controller-manager 1.34 makes it; pure functions, compiled.

Sources, all of https://github.com/kubernetes/kubernetes/tree/v1.34.4/pkg/controller/podautoscaler:
`propose` and `is_unready` follow replica_calculator.go and metrics/utilization.go; `stabilize` and `limit` follow
horizontal.go. CPU is counted in thousandths of a core, and utilization is a whole percentage, rounded down, as there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from planner.jit import compiled
from planner.scaling.fleet import CREATED, READY, STARTED
from planner.scaling.rules import Behavior, Direction, HpaRules
from planner.types import Floats, Integers

MILLI = 1000
MISSING = -1  # Instead of the metric of a pod that has none.
UNKNOWN = -1  # Instead of a utilization, where no metric counts.
MAX, MIN, DISABLED = range(3)  # What a direction selects.
IS_PERCENT, VALUE, PERIOD_S = range(3)  # Columns of policies.
AT_S, COUNT = range(2)  # Columns of numbers with their times, seconds: proposals, or replicas added or removed.


class Rates(NamedTuple):
    """The HPA's behavior in one direction, as numbers."""

    policies: Floats  # (N, 3)
    select: int
    window_s: float


class HpaNumbers(NamedTuple):
    """The rules of the HPA, as numbers; without a behavior, of `up` and `down` only the window down counts."""

    up: Rates
    down: Rates
    behaves: bool
    target_percent: int
    request_millicores: int
    tolerance: float
    initial_readiness_s: float
    cpu_initialization_s: float
    window_s: float
    least: int
    most: int


def numbers_of(rules: HpaRules, request_cores: float) -> HpaNumbers:
    """These rules as numbers, for pods that request some cores each."""
    behavior = rules.behavior or Behavior()
    return HpaNumbers(
        _rates(behavior.up, rules), _rates(behavior.down, rules), rules.behavior is not None, rules.target_percent,
        round(request_cores * MILLI), float(rules.tolerance), float(rules.initial_readiness_s),
        float(rules.cpu_initialization_s), float(rules.window_s), rules.min_replicas, rules.max_replicas,
    )  # fmt: skip


def _rates(direction: Direction, rules: HpaRules) -> Rates:
    """A direction; its stabilization window is the controller's flag if the manifest gives none."""
    given = direction.stabilization_s
    policies = [(policy.type == "Percent", policy.value, policy.period_s) for policy in direction.policies]
    return Rates(
        np.array(policies, np.float64), {"Max": MAX, "Min": MIN, "Disabled": DISABLED}[direction.select],
        float(rules.downscale_stabilization_s if given is None else given),
    )  # fmt: skip


@compiled
def is_unready(ready: bool, started_s: float, changed_s: float, end_s: float, rules: HpaNumbers, now_s: float) -> bool:
    """Whether the controller ignores the CPU of a running pod because the pod is too new.

    Its readiness last changed at `changed_s`; `end_s` is the end of the window of its metric.
    """
    if started_s + rules.cpu_initialization_s > now_s:
        return not ready or end_s < changed_s + rules.window_s
    return not ready and started_s + rules.initial_readiness_s > changed_s


@compiled
def propose(times: Floats, millicores: Integers, end_s: float, rules: HpaNumbers, now_s: float) -> tuple[int, int]:
    """The replicas that the metrics ask for, and the utilization that the HPA's status shows, percent.

    `times` are those of the pods, `(P, 3)`, and `millicores` their metrics of a window that ended at `end_s`, `(P,)`.
    If no pod has metrics that count, the utilization is UNKNOWN and nothing is decided. Scaling up, pods that are not
    ready or have no metrics count as idle; scaling down, pods without metrics count as using their whole request and
    pods that are not ready are left out.
    """
    used = missing = unready = total = 0
    for pod in range(len(times)):
        ready = times[pod, READY] <= now_s
        created_s, changed_s = times[pod, CREATED], times[pod, READY] if ready else times[pod, CREATED]
        if times[pod, STARTED] > now_s:
            unready += 1
        elif millicores[pod] == MISSING:
            missing += 1
        elif is_unready(ready, created_s, changed_s, end_s, rules, now_s):
            unready += 1
        else:
            used += 1
            total += millicores[pod]
    current, request = len(times), rules.request_millicores
    if not used:
        return current, UNKNOWN
    percent = total * 100 // (used * request)
    ratio = percent / rules.target_percent
    fill_unready = unready > 0 and ratio > 1
    if not fill_unready and not missing:
        return current if _within(ratio, rules) else math.ceil(ratio * used), percent
    if ratio < 1:
        total += (request * max(100, rules.target_percent) // 100) * missing
    counted = used + (missing if ratio != 1 else 0) + (unready if fill_unready else 0)
    new = (total * 100 // (counted * request)) / rules.target_percent
    wanted = math.ceil(new * counted)
    turned = (ratio < 1 < new) or (ratio > 1 > new) or (new < 1 and wanted > current) or (new > 1 and wanted < current)
    return current if _within(new, rules) or turned else wanted, percent


@compiled
def _within(ratio: float, rules: HpaNumbers) -> bool:
    """Whether the utilization is so near its target that nothing changes."""
    return 1.0 - rules.tolerance <= ratio <= 1.0 + rules.tolerance


@compiled
def stabilize(proposed: int, current: int, earlier: Floats, rules: HpaNumbers, now_s: float) -> int:
    """The replicas after the stabilization windows; `earlier` are the proposals of earlier beats, `(N, 2)`.

    The replicas rise to the lowest proposal of the window up, and fall to the highest of the window down.
    """
    up_s, down_s = now_s - rules.up.window_s, now_s - rules.down.window_s
    lowest = highest = proposed
    for old in range(len(earlier)):
        at_s, count = earlier[old, AT_S], int(earlier[old, COUNT])
        if at_s > up_s:
            lowest = min(lowest, count)
        # Without a behavior, a proposal that is exactly as old as the window still counts.
        if at_s > down_s or (at_s == down_s and not rules.behaves):
            highest = max(highest, count)
    return min(max(current, lowest), highest) if rules.behaves else highest


@compiled
def limit(wanted: int, current: int, added: Floats, removed: Floats, rules: HpaNumbers, now_s: float) -> int:
    """The stabilized replicas after the limits of rate and the bounds.

    `added` and `removed` are the changes so far, `(N, 2)` each.
    """
    if not rules.behaves:
        return max(rules.least, min(wanted, rules.most, max(2 * current, 4)))
    if wanted == current:
        return current
    if wanted > current:
        return min(wanted, max(current, _allowed(rules.up, True, current, added, removed, now_s)), rules.most)
    return max(wanted, min(current, _allowed(rules.down, False, current, added, removed, now_s)), rules.least)


@compiled
def _allowed(rates: Rates, up: bool, current: int, added: Floats, removed: Floats, now_s: float) -> int:
    """The replicas that the policies of a direction allow."""
    if rates.select == DISABLED:
        return current
    chosen = 0
    for policy in range(len(rates.policies)):
        value, since_s = rates.policies[policy, VALUE], now_s - rates.policies[policy, PERIOD_S]
        start = current - _counted(added, since_s) + _counted(removed, since_s)
        if not rates.policies[policy, IS_PERCENT]:
            allowed = start + int(value if up else -value)
        else:
            # In floating point, as in the controller, so that both round to the same number.
            allowed = math.ceil(start * (1 + value / 100)) if up else int(start * (1 - value / 100))
        farther = allowed > chosen if up == (rates.select == MAX) else allowed < chosen
        if policy == 0 or farther:
            chosen = allowed
    return chosen


@compiled
def _counted(changes: Floats, since_s: float) -> int:
    """The replicas of the changes after a time."""
    total = 0
    for change in range(len(changes)):
        if changes[change, AT_S] > since_s:
            total += int(changes[change, COUNT])
    return total
