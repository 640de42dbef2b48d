"""The Kubernetes HPA, called from Python."""

from __future__ import annotations

from collections.abc import Sequence

from planner.scaling.controller import PERCENT, new_hpa, with_room
from planner.scaling.fleet import Fleet
from planner.scaling.hpa import UNKNOWN
from planner.scaling.policy import PolicyScaler, new_policy
from planner.scaling.rules import HpaRules, Replica


class HpaScaler(PolicyScaler):
    """The controller with its metrics pipeline; `beats` and `windows` replace the regular times by recorded ones."""

    def __init__(
        self,
        rules: HpaRules,
        replica: Replica,
        beats: Sequence[float] | None = None,
        windows: Sequence[float] | None = None,
    ) -> None:
        super().__init__(new_policy(rules, replica)._replace(hpa=new_hpa(rules, replica, beats, windows)))

    @property
    def percent(self) -> int | None:
        """The utilization that the HPA's status shows; None before the first."""
        percent = int(self.policy.hpa.memory[PERCENT])
        return None if percent == UNKNOWN else percent

    def advance(self, ticks: Sequence[float], demand: Sequence[float], use: Sequence[float], fleet: Fleet) -> int:
        """The replicas wanted at the last of these ticks."""
        self.policy = self.policy._replace(hpa=with_room(self.policy.hpa, len(fleet), len(ticks)))
        return super().advance(ticks, demand, use, fleet)
