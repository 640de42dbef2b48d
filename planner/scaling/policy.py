"""The autoscalers, whose decisions are compiled: target tracking and step scaling of ECS, Knative's and the HPA."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from planner.jit import compiled
from planner.scaling import steps, tracking
from planner.scaling.alarms import (
    DUE,
    Alarms,
    Points,
    add_values,
    new_alarms,
    new_points,
    take_point,
    total_utilization,
)
from planner.scaling.controller import BEAT_S, WINDOW_S, Hpa, heed, new_hpa
from planner.scaling.fleet import Fleet
from planner.scaling.knative import SOON, Knative, follow, new_knative
from planner.scaling.rules import HpaRules, KnativeRules, Replica, ScalerRules, StepRules, TargetTrackingRules
from planner.scaling.steps import Steps, new_steps, take_steps
from planner.scaling.tracking import Tracking, new_tracking, track
from planner.types import Floats

TRACKING, STEPS, KNATIVE, HPA = range(4)
# What stands in a policy of another kind, so that all policies have one type.
NO_TRACKING = TargetTrackingRules(min_replicas=0, max_replicas=1, target_percent=100, delay_s=0)
NO_KNATIVE = KnativeRules(min_replicas=0, max_replicas=1, cores_per_request=1)
NO_HPA = HpaRules(max_replicas=1)
NO_TIMES = np.empty((0, 3))


class Policy(NamedTuple):
    """A policy of one kind with all that it remembers, changed in place; what belongs to other kinds is not used.

    ECS's kinds see points of the mean CPU utilization, Knative the demand, the HPA the use of each replica.
    """

    kind: int
    points: Points
    alarms: Alarms
    tracking: Tracking
    steps: Steps
    knative: Knative
    hpa: Hpa
    idle_cores: float
    request_cores: float


class Present(NamedTuple):
    """The replicas at a decision: those wanted so far, those whose container runs, and those that are ready.

    The last container of them starts at `settled_s`. `times` are those of the replicas, for the HPA only.
    """

    replicas: int
    running: int
    ready: int
    settled_s: float
    times: Floats


def new_policy(rules: ScalerRules, replica: Replica) -> Policy:
    """The policy of these rules, before the first tick."""
    policy = Policy(
        TRACKING, new_points(1, 0, math.inf), new_alarms((1, 0, True)), new_tracking(NO_TRACKING), new_steps((), 0, 0),
        new_knative(NO_KNATIVE), new_hpa(NO_HPA, replica), float(replica.idle_cores), float(replica.request_cores),
    )  # fmt: skip
    if isinstance(rules, KnativeRules):
        return policy._replace(kind=KNATIVE, knative=new_knative(rules))
    if isinstance(rules, HpaRules):
        return policy._replace(kind=HPA, hpa=new_hpa(rules, replica))
    policy = policy._replace(points=new_points(rules.period_s, rules.delay_s, rules.first_period_s))
    if isinstance(rules, StepRules):
        taken = new_steps(rules.steps, rules.min_replicas, rules.max_replicas)
        return policy._replace(kind=STEPS, alarms=steps.alarms_of(rules), steps=taken)
    return policy._replace(alarms=tracking.alarms_of(rules), tracking=new_tracking(rules))


@compiled
def due_s(policy: Policy) -> float:
    """The next second at which something is measured or decided."""
    if policy.kind == HPA:
        return float(min(policy.hpa.memory[BEAT_S], policy.hpa.memory[WINDOW_S]))
    return float(policy.knative.memory[SOON] if policy.kind == KNATIVE else policy.points.numbers[DUE])


@compiled
def decide(policy: Policy, now_s: float, demand: Floats, use: Floats, present: Present) -> int:
    """The replicas wanted at the last of some ticks: cores of demand, and of each ready replica's use, `(T,)` each."""
    if policy.kind == HPA:
        return heed(policy.hpa, now_s, use, present.times)
    current = present.replicas
    if policy.kind == KNATIVE:
        return follow(policy.knative, now_s, demand, current, present.ready)
    total, count = 0.0, 0
    if present.running:
        count = len(use)
        total = total_utilization(use, present.running, present.ready, policy.idle_cores, policy.request_cores)
    add_values(policy.points, now_s, total, count)
    while True:
        percent = take_point(policy.points, now_s)
        if math.isnan(percent):
            return current
        if policy.kind == STEPS:
            current = take_steps(policy.steps, policy.alarms, now_s, percent, current, present.settled_s)
        else:
            current = track(policy.tracking, policy.alarms, now_s, percent, current, present.settled_s)


class PolicyScaler:
    """A policy, called from Python."""

    def __init__(self, rules: ScalerRules, replica: Replica) -> None:
        self.policy = new_policy(rules, replica)

    @property
    def next_s(self) -> float:
        """The next second at which something is measured or decided."""
        return due_s(self.policy)

    def advance(self, ticks: Sequence[float], demand: Sequence[float], use: Sequence[float], fleet: Fleet) -> int:
        """The replicas wanted at the last of these ticks."""
        now_s = float(ticks[-1])
        cores, used = np.asarray(demand, np.float64), np.asarray(use, np.float64)
        return decide(self.policy, now_s, cores, used, self.present(fleet, now_s))

    def present(self, fleet: Fleet, now_s: float) -> Present:
        """The replicas of a fleet at a decision."""
        times = fleet.times if self.policy.kind == HPA else NO_TIMES
        return Present(len(fleet), fleet.running(now_s), fleet.ready(now_s), float(fleet.settled_s), times)
