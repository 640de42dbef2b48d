"""CPU credits of burstable EC2 instances (T3, T3a) in unlimited mode.

An instance earns its baseline, and what it uses beyond is surplus. Later earnings pay surplus back. What exceeds the
earnings of a day, or is left when the instance is terminated, is charged. A T3 begins without credits. Source:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances-unlimited-mode-concepts.html
"""

from __future__ import annotations

import numpy as np

from loadtest.cost.prices import Burstable
from planner.jit import compiled
from planner.scaling.rules import InstanceRules
from planner.types import Floats

DAY_S = 86_400


class Credits:
    """The credits of each instance, in vCPU-seconds; a replica uses `rate` cores during an inference.

    Tasks are packed: each instance has `tasks_each` neighbours of the list of replicas, as in `planner.scaling`.
    """

    def __init__(self, burst: Burstable, rules: InstanceRules, rate: float) -> None:
        self._earned = burst.vcpus * burst.baseline
        self._tasks_each, self._rate = rules.tasks_each, rate
        self._balance = np.zeros(rules.max_replicas)
        self._hosts = 0

    def spend(self, seconds: float, hosts: int, spent: Floats) -> float:
        """The surplus that is charged in these seconds, in which replicas `(R,)` spent some on inferences."""
        charged = float(-np.minimum(self._balance[hosts : self._hosts], 0).sum())
        self._balance[hosts : self._hosts] = 0
        self._hosts = hosts
        return charged + _spend(
            self._balance, hosts, self._earned * seconds, self._earned * DAY_S, spent, self._rate, self._tasks_each
        )

    @property
    def owed(self) -> float:
        """The surplus that would be charged if all instances were terminated now."""
        return float(-np.minimum(self._balance, 0).sum())


@compiled
def _spend(
    balance: Floats, hosts: int, earned: float, most: float, spent: Floats, rate: float, tasks_each: int
) -> float:
    """Change the balance of each host; returns what exceeds `most` and is charged at once."""
    charged = 0.0
    for host in range(hosts):
        used = 0.0
        for replica in range(host * tasks_each, min((host + 1) * tasks_each, len(spent))):
            used += spent[replica] * rate
        left = balance[host] + earned - used
        charged += max(0.0, -most - left)
        balance[host] = min(max(left, -most), most)
    return charged
