"""AWS's step scaling, compiled: alarms of one's own on the mean CPU utilization, each with what it does.

Source: https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html.
A cooldown begins when the scaling activity completes, which for ECS is when the tasks run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from planner.jit import compiled
from planner.scaling.alarms import Alarms, is_raised, new_alarms
from planner.scaling.rules import Step, StepRules
from planner.types import Floats, Integers

UNSET = -1  # Instead of a number of replicas.


class Steps(NamedTuple):
    """What each raised alarm does, unless its cooldown still runs: arrays by step."""

    acted_s: Floats
    change: Integers
    exactly: Integers
    cooldown_s: Floats
    least: int
    most: int


def new_steps(steps: Sequence[Step], least: int, most: int) -> Steps:
    """These steps, none of which has acted."""
    return Steps(
        np.full(len(steps), -np.inf), np.array([step.change or 0 for step in steps], np.int64),
        np.array([UNSET if step.exactly is None else step.exactly for step in steps], np.int64),
        np.array([step.cooldown_s for step in steps], np.float64), least, most,
    )  # fmt: skip


def alarms_of(rules: StepRules) -> Alarms:
    """The alarm of each step."""
    return new_alarms(*((step.points, step.percent, step.when == "above") for step in rules.steps))


@compiled
def take_steps(steps: Steps, alarms: Alarms, now_s: float, percent: float, current: int, settled_s: float) -> int:
    """The replicas wanted with one more point; the last container of the present ones starts at `settled_s`."""
    for step in range(len(steps.change)):
        raised, since_s = is_raised(alarms, step, percent), steps.acted_s[step]
        if since_s > -np.inf and steps.change[step] > 0:
            since_s = max(since_s, settled_s)
        if not raised or now_s < since_s + steps.cooldown_s[step]:
            continue
        wanted = steps.exactly[step] if steps.exactly[step] != UNSET else current + steps.change[step]
        wanted = min(max(wanted, steps.least), steps.most)
        if wanted != current:
            current, steps.acted_s[step] = wanted, now_s
    return current
