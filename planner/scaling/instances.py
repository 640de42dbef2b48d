"""EC2 instances behind an ECS capacity provider with managed scaling.

The metric is instances needed / instances there. Sources:
https://aws.amazon.com/blogs/containers/deep-dive-on-amazon-ecs-cluster-auto-scaling/ and
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html
"""

from __future__ import annotations

import math

from planner.scaling.alarms import Alarm, Points
from planner.scaling.fleet import Fleet
from planner.scaling.rules import InstanceRules

# The metric without any instance, when one is needed.
NONE_THERE = 200.0


class CapacityProvider:
    """Instances over time; those that boot count as there, so that one need is not met twice."""

    def __init__(self, rules: InstanceRules, tasks: int) -> None:
        self.rules = rules
        count = min(max(self._needed(tasks), rules.min_replicas), rules.max_replicas)
        self._up_s = [-math.inf] * count
        self._booting_s = math.inf
        self._launched_s = -math.inf
        self._points = Points(rules.period_s, rules.delay_s, rules.period_s)
        self._high = Alarm(rules.out_points, rules.target_percent, above=True)
        self._low = Alarm(rules.in_points, rules.target_percent, above=False)

    @property
    def count(self) -> int:
        """The number of instances, booting ones included."""
        return len(self._up_s)

    @property
    def next_s(self) -> float:
        """The next second at which an instance is up, or its metric is read."""
        return min(self._booting_s, self._points.next_s)

    def slots(self, now_s: float) -> int:
        """The number of tasks that instances which are up have room for."""
        return self.rules.tasks_each * sum(up_s <= now_s for up_s in self._up_s)

    def advance(self, now_s: float, fleet: Fleet) -> bool:
        """Launch and remove instances at a time, and set the fleet's room; whether the room has changed."""
        changed = now_s >= self._booting_s
        needed = self._needed(len(fleet))
        share = 100 * needed / self.count if self.count else NONE_THERE * bool(needed)
        # The metric is a gauge: a point is its value when the period ends.
        for point in self._points.add(now_s, [share] if now_s >= self._points.next_s else []):
            out, low = self._high.add(point), self._low.add(point)
            if out:
                self._launch(now_s, needed)
                changed = True
            elif low and now_s >= self._launched_s + self.rules.warmup_s:
                # The newest go. Tasks are packed, so that as many as are not needed have none.
                del self._up_s[self._wanted(needed) :]
                changed = True
        if changed:
            self._booting_s = min((up_s for up_s in self._up_s if up_s > now_s), default=math.inf)
            fleet.slots = self.slots(now_s)
        return changed

    def _needed(self, tasks: int) -> int:
        return math.ceil(tasks / self.rules.tasks_each)

    def _wanted(self, needed: int) -> int:
        wanted = math.ceil(needed * 100 / self.rules.target_percent)
        return min(max(wanted, self.rules.min_replicas), self.rules.max_replicas)

    def _launch(self, now_s: float, needed: int) -> None:
        more = min(max(self._wanted(needed) - self.count, self.rules.least_step), self.rules.most_step)
        more = min(more, self.rules.max_replicas - self.count)
        if more > 0:
            self._up_s += [now_s + self.rules.boot_s] * more
            self._launched_s = now_s
