"""The autoscalers of ECS, which see the mean CPU utilization of periods: target tracking and step scaling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from planner.jit import compiled
from planner.scaling import steps, tracking
from planner.scaling.alarms import DUE, Alarms, Points, add_values, new_points, take_point, total_utilization
from planner.scaling.fleet import Fleet
from planner.scaling.rules import Replica, StepRules, TargetTrackingRules
from planner.scaling.steps import Steps, new_steps, take_steps
from planner.scaling.tracking import Tracking, new_tracking, track
from planner.types import Floats


class Scaling(NamedTuple):
    """A service's policy with all that it remembers, changed in place: `steps` where `stepped`, else `tracking`."""

    points: Points
    alarms: Alarms
    stepped: bool
    tracking: Tracking
    steps: Steps
    idle_cores: float
    request_cores: float


class Present(NamedTuple):
    """The replicas at a decision: those wanted so far, those whose container runs, and those that are ready.

    The last container of them starts at `settled_s`.
    """

    replicas: int
    running: int
    ready: int
    settled_s: float


def new_scaling(rules: TargetTrackingRules | StepRules, replica: Replica) -> Scaling:
    """The policy of these rules, before the first tick."""
    stepped = isinstance(rules, StepRules)
    if isinstance(rules, StepRules):
        alarms, no_tracking = steps.alarms_of(rules), Tracking(np.zeros(5), *[0.0] * 5, 0, 0)
        parts = (no_tracking, new_steps(rules.steps, rules.min_replicas, rules.max_replicas))
    else:
        alarms, parts = tracking.alarms_of(rules), (new_tracking(rules), new_steps((), 0, 0))
    points = new_points(rules.period_s, rules.delay_s, rules.first_period_s)
    return Scaling(points, alarms, stepped, *parts, float(replica.idle_cores), float(replica.request_cores))


@compiled
def decide(scaling: Scaling, now_s: float, use: Floats, present: Present) -> int:
    """The replicas wanted at the last of some ticks, in each of which a ready replica used `use` cores, `(T,)`."""
    total, count = 0.0, 0
    if present.running:
        count = len(use)
        total = total_utilization(use, present.running, present.ready, scaling.idle_cores, scaling.request_cores)
    add_values(scaling.points, now_s, total, count)
    current = present.replicas
    while True:
        percent = take_point(scaling.points, now_s)
        if math.isnan(percent):
            return current
        if scaling.stepped:
            current = take_steps(scaling.steps, scaling.alarms, now_s, percent, current, present.settled_s)
        else:
            current = track(scaling.tracking, scaling.alarms, now_s, percent, current, present.settled_s)


class CloudWatchScaler:
    """Target tracking or step scaling of the tasks of a service."""

    def __init__(self, rules: TargetTrackingRules | StepRules, replica: Replica) -> None:
        self.scaling = new_scaling(rules, replica)

    @property
    def next_s(self) -> float:
        """The next second at which a period ends or its point becomes known."""
        return float(self.scaling.points.numbers[DUE])

    def advance(self, ticks: Sequence[float], demand: Sequence[float], use: Sequence[float], fleet: Fleet) -> int:
        """The replicas wanted at the last of these ticks; `use` is that of each ready replica in each tick, cores."""
        now_s = float(ticks[-1])
        return decide(self.scaling, now_s, np.asarray(use, np.float64), present(fleet, now_s))


def present(fleet: Fleet, now_s: float) -> Present:
    """The replicas of a fleet at a decision."""
    return Present(len(fleet), fleet.running(now_s), fleet.ready(now_s), float(fleet.settled_s))
