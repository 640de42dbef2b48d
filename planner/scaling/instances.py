"""EC2 instances behind an ECS capacity provider with managed scaling; its decisions are compiled.

The metric is instances needed / instances there. Sources:
https://aws.amazon.com/blogs/containers/deep-dive-on-amazon-ecs-cluster-auto-scaling/ and
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from planner.jit import compiled
from planner.scaling.alarms import DUE, Alarms, Points, add_values, is_raised, new_alarms, new_points, take_point
from planner.scaling.fleet import Fleet
from planner.scaling.rules import InstanceRules
from planner.types import Floats

# The metric without any instance, when one is needed.
NONE_THERE = 200.0
HIGH, LOW = range(2)  # The alarms.


class Provider(NamedTuple):
    """The rules, and what they remember, changed in place."""

    points: Points
    alarms: Alarms
    launched_s: Floats  # (1,) the last launch
    target: float
    warmup_s: float
    least: int
    most: int
    least_step: int
    most_step: int


def new_provider(rules: InstanceRules) -> Provider:
    """These rules, before the first point."""
    return Provider(
        points=new_points(rules.period_s, rules.delay_s, rules.period_s),
        alarms=new_alarms(
            (rules.out_points, rules.target_percent, True), (rules.in_points, rules.target_percent, False)
        ),
        launched_s=np.full(1, -np.inf), target=float(rules.target_percent), warmup_s=float(rules.warmup_s),
        least=rules.min_replicas, most=rules.max_replicas, least_step=rules.least_step, most_step=rules.most_step,
    )  # fmt: skip


def no_provider() -> Provider:
    """Rules that never act, for platforms without instances."""
    alarms = new_alarms((1, math.inf, True), (1, -math.inf, False))
    return Provider(new_points(1, 0, math.inf), alarms, np.full(1, -np.inf), 100.0, 0.0, 0, 0, 0, 0)


@compiled
def provide(provider: Provider, now_s: float, needed: int, there: int) -> int:
    """The instances that there should be at a time, of which the tasks need some, and some are there."""
    if now_s >= provider.points.numbers[DUE]:
        # The metric is a gauge: a point is its value when the period ends.
        share = 100 * needed / there if there else NONE_THERE * (needed > 0)
        add_values(provider.points, now_s, share, 1)
    wanted = min(max(math.ceil(needed * 100 / provider.target), provider.least), provider.most)
    while True:
        point = take_point(provider.points, now_s)
        if math.isnan(point):
            return there
        out, low = is_raised(provider.alarms, HIGH, point), is_raised(provider.alarms, LOW, point)
        if out:
            more = min(max(wanted - there, provider.least_step), provider.most_step, provider.most - there)
            if more > 0:
                there += more
                provider.launched_s[0] = now_s
        elif low and now_s >= provider.launched_s[0] + provider.warmup_s:
            there = min(there, wanted)


class CapacityProvider:
    """Instances over time; those that boot count as there, so that one need is not met twice."""

    def __init__(self, rules: InstanceRules, tasks: int) -> None:
        self.rules = rules
        self.provider = new_provider(rules)
        self.booted_s = math.inf
        count = min(max(self.needed(tasks), rules.min_replicas), rules.max_replicas)
        self._up_s = [-math.inf] * count

    @property
    def count(self) -> int:
        """The number of instances, booting ones included."""
        return len(self._up_s)

    @property
    def next_s(self) -> float:
        """The next second at which an instance is up, or its metric is read; `booted_s` is that of an instance."""
        return min(self.booted_s, float(self.provider.points.numbers[DUE]))

    def slots(self, now_s: float) -> int:
        """The number of tasks that instances which are up have room for."""
        return self.rules.tasks_each * sum(up_s <= now_s for up_s in self._up_s)

    def needed(self, tasks: int) -> int:
        """The instances that have room for some tasks."""
        return math.ceil(tasks / self.rules.tasks_each)

    def decide(self, now_s: float, fleet: Fleet) -> int:
        """The number of instances that there should be at a time."""
        if now_s < self.provider.points.numbers[DUE]:
            return self.count
        return provide(self.provider, float(now_s), self.needed(len(fleet)), self.count)

    def change(self, count: int, now_s: float, fleet: Fleet) -> bool:
        """Launch or remove as many instances as make this number, and set the fleet's room; whether it has changed."""
        if count == self.count and now_s < self.booted_s:
            return False
        # The newest go. Tasks are packed, so that as many as are not needed have none.
        del self._up_s[count:]
        self._up_s += [now_s + self.rules.boot_s] * (count - self.count)
        self.booted_s = min((up_s for up_s in self._up_s if up_s > now_s), default=math.inf)
        fleet.slots = self.slots(now_s)
        return True
