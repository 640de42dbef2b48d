"""AWS's target tracking of the mean CPU utilization of ECS tasks, compiled.

Sources: https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html and
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html:
a cooldown begins when a scaling activity completes, which for ECS is when the tasks run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from planner.jit import compiled
from planner.scaling.alarms import Alarms, ceiling, is_raised, new_alarms
from planner.scaling.rules import TargetTrackingRules
from planner.types import Floats

HIGH, LOW = range(2)  # The alarms.
# Positions in Tracking.memory: the points of the period of the low alarm, and the last steps out and in, seconds.
PART, PARTS, OUT_S, IN_S, BASE = range(5)


class Tracking(NamedTuple):
    """Scales out and in to replicas x utilization / target, when the alarm of that direction is raised."""

    memory: Floats
    target: float
    period_s: float
    in_period_s: float
    out_cooldown_s: float
    in_cooldown_s: float
    least: int
    most: int


def new_tracking(rules: TargetTrackingRules) -> Tracking:
    """These rules, before the first point."""
    return Tracking(
        memory=np.array([0.0, 0.0, -np.inf, -np.inf, 0.0]), target=float(rules.target_percent),
        period_s=float(rules.period_s), in_period_s=float(rules.in_period_s),
        out_cooldown_s=float(rules.out_cooldown_s), in_cooldown_s=float(rules.in_cooldown_s),
        least=rules.min_replicas, most=rules.max_replicas,
    )  # fmt: skip


def alarms_of(rules: TargetTrackingRules) -> Alarms:
    """The two alarms that AWS creates for a policy."""
    low = rules.target_percent * rules.in_share
    return new_alarms((rules.out_points, rules.target_percent, True), (rules.in_points, low, False))


@compiled
def track(tracking: Tracking, alarms: Alarms, now_s: float, percent: float, current: int, settled_s: float) -> int:
    """The replicas wanted with one more point; the last container of the present ones starts at `settled_s`."""
    memory = tracking.memory
    out = is_raised(alarms, HIGH, percent)
    memory[PART] += percent
    memory[PARTS] += 1
    low = False
    if memory[PARTS] * tracking.period_s >= tracking.in_period_s:
        low = is_raised(alarms, LOW, memory[PART] / memory[PARTS])
        memory[PART] = memory[PARTS] = 0.0
    if out:
        return _out(tracking, now_s, percent, current, settled_s)
    return _in(tracking, now_s, percent, current) if low else current


@compiled
def _out(tracking: Tracking, now_s: float, percent: float, current: int, settled_s: float) -> int:
    """In a cooldown, what the last scale-out added counts as part of the next, which is larger or does nothing."""
    memory = tracking.memory
    cooling = memory[BASE] > 0 and now_s < max(memory[OUT_S], settled_s) + tracking.out_cooldown_s
    base = memory[BASE] if cooling else float(current)
    wanted = min(ceiling(base * percent / tracking.target), tracking.most)
    if wanted <= current:
        return current
    memory[BASE], memory[OUT_S], memory[IN_S] = base, now_s, -np.inf
    return wanted


@compiled
def _in(tracking: Tracking, now_s: float, percent: float, current: int) -> int:
    if now_s < tracking.memory[IN_S] + tracking.in_cooldown_s:
        return current
    wanted = max(ceiling(current * percent / tracking.target), tracking.least)
    if wanted >= current:
        return current
    tracking.memory[IN_S] = now_s
    return wanted
