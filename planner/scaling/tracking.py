"""AWS's target tracking of the mean CPU utilization of ECS tasks.

Sources: https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html and
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html:
a cooldown begins when a scaling activity completes, which for ECS is when the tasks run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from planner.scaling.alarms import Alarm, Points, ceiling, utilization
from planner.scaling.fleet import Fleet
from planner.scaling.rules import Replica, TargetTrackingRules


class TargetTrackingScaler:
    """Scales out and in to replicas x utilization / target, when the alarm of that direction is raised."""

    def __init__(self, rules: TargetTrackingRules, replica: Replica) -> None:
        self.rules = rules
        self.replica = replica
        self._points = Points(rules.period_s, rules.delay_s, rules.first_period_s)
        self._high = Alarm(rules.out_points, rules.target_percent, above=True)
        self._low = Alarm(rules.in_points, rules.target_percent * rules.in_share, above=False)
        self._part: list[float] = []
        self._raised_low = False
        self._out_s = self._in_s = -math.inf
        self._base = 0

    @property
    def next_s(self) -> float:
        """The next second at which a period ends or its point becomes known."""
        return self._points.next_s

    def advance(self, ticks: Sequence[float], demand: Sequence[float], use: Sequence[float], fleet: Fleet) -> int:
        """The replicas wanted at the last of these ticks; `use` is that of each ready replica in each tick, cores."""
        current, now_s = len(fleet), ticks[-1]
        for percent in self._points.add(now_s, utilization(fleet, self.replica, use, now_s)):
            out = self._high.add(percent)
            self._part.append(percent)
            whole = len(self._part) * self.rules.period_s >= self.rules.in_period_s
            if whole:
                self._raised_low = self._low.add(sum(self._part) / len(self._part))
                self._part = []
            if out:
                current = self._out(now_s, percent, current, fleet.settled_s)
            elif whole and self._raised_low:
                current = self._in(now_s, percent, current)
        return current

    def _out(self, now_s: float, percent: float, current: int, settled_s: float) -> int:
        """In a cooldown, what the last scale-out added counts as part of the next, which is larger or does nothing."""
        cooling = self._base > 0 and now_s < max(self._out_s, settled_s) + self.rules.out_cooldown_s
        base = self._base if cooling else current
        wanted = min(ceiling(base * percent / self.rules.target_percent), self.rules.max_replicas)
        if wanted <= current:
            return current
        self._base, self._out_s, self._in_s = base, now_s, -math.inf
        return wanted

    def _in(self, now_s: float, percent: float, current: int) -> int:
        if now_s < self._in_s + self.rules.in_cooldown_s:
            return current
        wanted = max(ceiling(current * percent / self.rules.target_percent), self.rules.min_replicas)
        if wanted >= current:
            return current
        self._in_s = now_s
        return wanted
