"""One decision of the Kubernetes HPA, as kube-controller-manager 1.34 makes it; pure functions.

Sources, all of https://github.com/kubernetes/kubernetes/tree/v1.34.4/pkg/controller/podautoscaler:
`propose` and `is_unready` follow replica_calculator.go and metrics/utilization.go; `stabilize` and `limit` follow
horizontal.go. CPU is counted in thousandths of a core, and utilization is a whole percentage, rounded down, as there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from planner.scaling.rules import Direction, HpaRules, Policy


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod at a beat: whether it runs and is ready, its start, and the last change of its readiness, seconds."""

    running: bool
    ready: bool
    started_s: float
    changed_s: float


@dataclass(frozen=True, slots=True)
class Metric:
    """The mean CPU use of a pod in a window, thousandths of a core; `end_s` is the end of the window."""

    millicores: int
    end_s: float
    window_s: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """The replicas that the metrics ask for, and the utilization that the HPA's status shows, percent."""

    replicas: int
    percent: int


@dataclass(frozen=True, slots=True)
class Timed:
    """A number with its time, seconds: a recommendation, or the replicas added or removed."""

    at_s: float
    count: int


def is_unready(pod: Pod, metric: Metric, rules: HpaRules, now_s: float) -> bool:
    """Whether the controller ignores the CPU of a running pod because the pod is too new."""
    if pod.started_s + rules.cpu_initialization_s > now_s:
        return not pod.ready or metric.end_s < pod.changed_s + metric.window_s
    return not pod.ready and pod.started_s + rules.initial_readiness_s > pod.changed_s


def percent_of_requests(millicores: Iterable[int], request_millicores: int) -> int:
    """The utilization of pods that all have the same request, percent, rounded down."""
    values = list(millicores)
    return sum(values) * 100 // (len(values) * request_millicores)


def propose(
    current: int,
    pods: Mapping[int, Pod],
    metrics: Mapping[int, Metric],
    rules: HpaRules,
    request_millicores: int,
    now_s: float,
) -> Proposal | None:
    """The replicas that the metrics ask for; None if no pod has metrics that count, so that nothing is decided.

    Scaling up, pods that are not ready or have no metrics count as idle; scaling down, pods without metrics count as
    using their whole request and pods that are not ready are left out.
    """
    missing = [name for name, pod in pods.items() if pod.running and name not in metrics]
    unready = [
        name
        for name, pod in pods.items()
        if not pod.running or (name in metrics and is_unready(pod, metrics[name], rules, now_s))
    ]
    skipped = {*missing, *unready}
    used = [metrics[name].millicores for name in pods if name not in skipped]
    if not used:
        return None
    percent = percent_of_requests(used, request_millicores)
    ratio = percent / rules.target_percent
    fill_unready = bool(unready) and ratio > 1
    if not fill_unready and not missing:
        return Proposal(current if within(ratio, rules) else math.ceil(ratio * len(used)), percent)
    counted = list(used)
    if ratio < 1:
        counted += [request_millicores * max(100, rules.target_percent) // 100] * len(missing)
    elif ratio > 1:
        counted += [0] * len(missing)
    if fill_unready:
        counted += [0] * len(unready)
    new = percent_of_requests(counted, request_millicores) / rules.target_percent
    wanted = math.ceil(new * len(counted))
    turned = (ratio < 1 < new) or (ratio > 1 > new) or (new < 1 and wanted > current) or (new > 1 and wanted < current)
    return Proposal(current if within(new, rules) or turned else wanted, percent)


def within(ratio: float, rules: HpaRules) -> bool:
    """Whether the utilization is so near its target that nothing changes."""
    return 1.0 - rules.tolerance <= ratio <= 1.0 + rules.tolerance


def stabilize(proposed: int, current: int, earlier: Sequence[Timed], rules: HpaRules, now_s: float) -> int:
    """The replicas after the stabilization windows; `earlier` are the proposals of earlier beats.

    The replicas rise to the lowest proposal of the window up, and fall to the highest of the window down.
    """
    if rules.behavior is None:
        since = now_s - rules.downscale_stabilization_s
        return max([proposed, *(old.count for old in earlier if old.at_s >= since)])
    up_s, down_s = now_s - window_s(rules.behavior.up, rules), now_s - window_s(rules.behavior.down, rules)
    lowest = min([proposed, *(old.count for old in earlier if old.at_s > up_s)])
    highest = max([proposed, *(old.count for old in earlier if old.at_s > down_s)])
    return min(max(current, lowest), highest)


def window_s(direction: Direction, rules: HpaRules) -> float:
    """The stabilization window of a direction, seconds; the controller's flag if the manifest gives none."""
    given = direction.stabilization_s
    return rules.downscale_stabilization_s if given is None else given


def limit(
    wanted: int, current: int, added: Sequence[Timed], removed: Sequence[Timed], rules: HpaRules, now_s: float
) -> int:
    """The stabilized replicas after the limits of rate and the bounds; `added` and `removed` are the changes so far."""
    if rules.behavior is None:
        return max(rules.min_replicas, min(wanted, rules.max_replicas, max(2 * current, 4)))
    direction = rules.behavior.up if wanted > current else rules.behavior.down
    if wanted == current or direction.select == "Disabled":
        return current
    allowed = [_allowed(policy, wanted > current, current, added, removed, now_s) for policy in direction.policies]
    if wanted > current:
        most = min(allowed) if direction.select == "Min" else max(allowed)
        return min(wanted, max(current, most), rules.max_replicas)
    least = max(allowed) if direction.select == "Min" else min(allowed)
    return max(wanted, min(current, least), rules.min_replicas)


def _allowed(
    policy: Policy, up: bool, current: int, added: Sequence[Timed], removed: Sequence[Timed], now_s: float
) -> int:
    since = now_s - policy.period_s
    start = current - sum(event.count for event in added if event.at_s > since)
    start += sum(event.count for event in removed if event.at_s > since)
    if policy.type == "Pods":
        return start + (policy.value if up else -policy.value)
    # In floating point, as in the controller, so that both round to the same number.
    return math.ceil(start * (1 + policy.value / 100)) if up else int(start * (1 - policy.value / 100))
