"""AWS's step scaling: alarms of one's own on the mean CPU utilization, each with what it does.

Source: https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html.
A cooldown begins when the scaling activity completes, which for ECS is when the tasks run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from planner.scaling.alarms import Alarm, Points, utilization
from planner.scaling.fleet import Fleet
from planner.scaling.rules import Replica, Step, StepRules


class StepScaler:
    """Does what each raised alarm says, unless its cooldown still runs."""

    def __init__(self, rules: StepRules, replica: Replica) -> None:
        self.rules = rules
        self.replica = replica
        self._points = Points(rules.period_s, rules.delay_s, rules.first_period_s)
        self._alarms = [Alarm(step.points, step.percent, above=step.when == "above") for step in rules.steps]
        self._acted_s = [-math.inf for _ in rules.steps]

    @property
    def next_s(self) -> float:
        """The next second at which a period ends or its point becomes known."""
        return self._points.next_s

    def advance(self, ticks: Sequence[float], demand: Sequence[float], use: Sequence[float], fleet: Fleet) -> int:
        """The replicas wanted at the last of these ticks; `use` is that of each ready replica in each tick, cores."""
        current, now_s = len(fleet), ticks[-1]
        for percent in self._points.add(now_s, utilization(fleet, self.replica, use, now_s)):
            for number, (step, alarm) in enumerate(zip(self.rules.steps, self._alarms, strict=True)):
                raised, since_s = alarm.add(percent), self._acted_s[number]
                if since_s > -math.inf and (step.change or 0) > 0:
                    since_s = max(since_s, fleet.settled_s)
                if not raised or now_s < since_s + step.cooldown_s:
                    continue
                wanted = min(max(_after(step, current), self.rules.min_replicas), self.rules.max_replicas)
                if wanted != current:
                    current, self._acted_s[number] = wanted, now_s
        return current


def _after(step: Step, current: int) -> int:
    return step.exactly if step.exactly is not None else current + (step.change or 0)
