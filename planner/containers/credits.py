"""CPU credits of burstable EC2 instances (T3, T3a) in unlimited mode.

An instance earns its baseline, and what it uses beyond is surplus. Later earnings pay surplus back. What exceeds the
earnings of a day, or is left when the instance is terminated, is charged. A T3 begins without credits. Source:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances-unlimited-mode-concepts.html
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from loadtest.cost.prices import Burstable
from planner.jit import compiled
from planner.scaling.rules import InstanceRules
from planner.types import Floats

DAY_S = 86_400


class Account(NamedTuple):
    """The credits of each instance, vCPU-seconds, changed in place; a replica uses `rate` cores during an inference.

    Tasks are packed: each instance has `tasks_each` neighbours of the list of replicas, as in `planner.scaling`.
    """

    balance: Floats  # by instance; none without credits
    surplus: Floats  # (1,) charged so far
    earned: float
    rate: float
    tasks_each: int


class Credits:
    """The account of instances of a kind."""

    def __init__(self, burst: Burstable | None, rules: InstanceRules | None, rate: float) -> None:
        hosts, tasks_each = (rules.max_replicas, rules.tasks_each) if burst and rules else (0, 1)
        earned = burst.vcpus * burst.baseline if burst else 0.0
        self.account = Account(np.zeros(hosts), np.zeros(1), float(earned), float(rate), tasks_each)

    def spend(self, seconds: float, hosts: int, spent: Floats) -> float:
        """The surplus that is charged in these seconds, in which replicas `(R,)` spent some on inferences."""
        return spend(self.account, float(seconds), hosts, spent)

    @property
    def owed(self) -> float:
        """The surplus that would be charged if all instances were terminated now."""
        return float(-np.minimum(self.account.balance, 0).sum())


@compiled
def spend(account: Account, seconds: float, hosts: int, spent: Floats) -> float:
    """Change the balance of each instance, and end that of those which are gone; returns what is charged."""
    balance, tasks_each = account.balance, account.tasks_each
    if not len(balance):
        return 0.0
    ended = charged = 0.0
    for host in range(hosts, len(balance)):
        ended -= min(balance[host], 0.0)
        balance[host] = 0.0
    earned, most = account.earned * seconds, account.earned * DAY_S
    for host in range(hosts):
        used = 0.0
        for replica in range(host * tasks_each, min((host + 1) * tasks_each, len(spent))):
            used += spent[replica] * account.rate
        left = balance[host] + earned - used
        charged += max(0.0, -most - left)
        balance[host] = min(max(left, -most), most)
    return ended + charged
