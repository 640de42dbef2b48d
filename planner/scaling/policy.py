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
from planner.scaling.controller import DUE_S, Hpa, heed, new_hpa
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


class Alarmed(NamedTuple):
    """Target tracking or steps, which follow alarms on points of the mean CPU utilization; changed in place."""

    points: Points
    alarms: Alarms
    tracking: Tracking
    steps: Steps
    idle_cores: float
    request_cores: float


class Policy(NamedTuple):
    """A policy of one kind with all that it remembers, changed in place; what belongs to other kinds is not used.

    ECS's kinds see points of the mean CPU utilization, Knative the demand, the HPA the use of each replica.
    """

    kind: int
    alarmed: Alarmed
    knative: Knative
    hpa: Hpa


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
    alarmed = Alarmed(
        new_points(1, 0, math.inf), new_alarms((1, 0, True)), new_tracking(NO_TRACKING), new_steps((), 0, 0),
        float(replica.idle_cores), float(replica.request_cores),
    )  # fmt: skip
    policy = Policy(TRACKING, alarmed, new_knative(NO_KNATIVE), new_hpa(NO_HPA, replica))
    if isinstance(rules, KnativeRules):
        return policy._replace(kind=KNATIVE, knative=new_knative(rules))
    if isinstance(rules, HpaRules):
        return policy._replace(kind=HPA, hpa=new_hpa(rules, replica))
    points = new_points(rules.period_s, rules.delay_s, rules.first_period_s)
    if isinstance(rules, StepRules):
        taken = new_steps(rules.steps, rules.min_replicas, rules.max_replicas)
        alarmed = alarmed._replace(points=points, alarms=steps.alarms_of(rules), steps=taken)
        return policy._replace(kind=STEPS, alarmed=alarmed)
    alarmed = alarmed._replace(points=points, alarms=tracking.alarms_of(rules), tracking=new_tracking(rules))
    return policy._replace(alarmed=alarmed)


@compiled
def due_s(policy: Policy) -> Floats:
    """The next second at which something is measured or decided, as a view of what the policy remembers, `(1,)`."""
    if policy.kind == HPA:
        return policy.hpa.memory[DUE_S : DUE_S + 1]
    if policy.kind == KNATIVE:
        return policy.knative.memory[SOON : SOON + 1]
    return policy.alarmed.points.numbers[DUE : DUE + 1]


@compiled
def react(kind: int, alarmed: Alarmed, now_s: float, use: Floats, present: Present) -> int:
    """The replicas wanted at the last of some ticks, with cores of each ready replica's use, `(T,)`."""
    total, count, current = 0.0, 0, present.replicas
    if present.running:
        count = len(use)
        total = total_utilization(use, present.running, present.ready, alarmed.idle_cores, alarmed.request_cores)
    add_values(alarmed.points, now_s, total, count)
    while True:
        percent = take_point(alarmed.points, now_s)
        if math.isnan(percent):
            return current
        if kind == STEPS:
            current = take_steps(alarmed.steps, alarmed.alarms, now_s, percent, current, present.settled_s)
        else:
            current = track(alarmed.tracking, alarmed.alarms, now_s, percent, current, present.settled_s)


class PolicyScaler:
    """A policy, called from Python."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._due_s = due_s(policy)

    @property
    def next_s(self) -> float:
        """The next second at which something is measured or decided."""
        return float(self._due_s[0])

    def advance(self, ticks: Sequence[float], demand: Sequence[float], use: Sequence[float], fleet: Fleet) -> int:
        """The replicas wanted at the last of these ticks."""
        policy, now_s, present = self.policy, float(ticks[-1]), self.present(fleet, ticks[-1])
        if policy.kind == KNATIVE:
            cores = np.asarray(demand, np.float64)
            return follow(policy.knative, now_s, cores, present.replicas, present.ready)
        used = np.asarray(use, np.float64)
        if policy.kind == HPA:
            return heed(policy.hpa, now_s, used, present.times)
        return react(policy.kind, policy.alarmed, now_s, used, present)

    def present(self, fleet: Fleet, now_s: float) -> Present:
        """The replicas of a fleet at a decision."""
        times = fleet.times if self.policy.kind == HPA else NO_TIMES
        return Present(len(fleet), fleet.running(now_s), fleet.ready(now_s), float(fleet.settled_s), times)
