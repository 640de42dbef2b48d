"""The Kubernetes HPA over time: its beats, the windows of its metrics, and what it remembers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from planner.scaling.fleet import Fleet, Member
from planner.scaling.hpa import Metric, Pod, Timed, limit, propose, stabilize, window_s
from planner.scaling.rules import HpaRules, Replica

MILLI = 1000


class HpaScaler:
    """The controller with its metrics pipeline; `beats` and `windows` replace the regular times by recorded ones."""

    def __init__(
        self,
        rules: HpaRules,
        replica: Replica,
        beats: Iterable[float] | None = None,
        windows: Iterable[float] | None = None,
    ) -> None:
        self.rules = rules
        self.replica = replica
        self.percent: int | None = None
        self._beats = times(rules.first_sync_s, rules.sync_s) if beats is None else forever(beats)
        self._windows = times(rules.first_window_s, rules.window_s) if windows is None else forever(windows)
        self._beat_s, self._window_s = next(self._beats), next(self._windows)
        self._uses: list[float] = []
        self._ticks: list[float] = []
        self._metrics: dict[int, Metric] = {}
        self._proposals: list[Timed] = []
        self._added: list[Timed] = []
        self._removed: list[Timed] = []

    @property
    def next_s(self) -> float:
        """The next beat, or end of a window of the metrics, seconds."""
        return min(self._beat_s, self._window_s)

    def advance(self, ticks: Sequence[float], demand: Sequence[float], use: Sequence[float], fleet: Fleet) -> int:
        """The replicas wanted at the last of these ticks; `use` is that of each ready replica in each tick, cores."""
        self._uses.extend(use)
        self._ticks.extend(ticks)
        now_s = ticks[-1]
        if now_s >= self._window_s:
            self._measure(now_s, fleet)
            self._window_s = next_after(self._windows, now_s)
        if now_s < self._beat_s:
            return len(fleet)
        beat_s, self._beat_s = self._beat_s, next_after(self._beats, now_s)
        return self._decide(beat_s, fleet)

    def _measure(self, now_s: float, fleet: Fleet) -> None:
        """Publish the means of the window that ends, rounded down; a pod appears once its container runs."""
        self._metrics = {
            member.number: Metric(int(self._mean_use(member) * MILLI), now_s, self.rules.window_s)
            for member in fleet.members
            if member.started_s <= now_s
        }
        self._uses, self._ticks = [], []

    def _mean_use(self, member: Member) -> float:
        if member.ready_s <= self._ticks[0]:
            return sum(self._uses) / len(self._uses)
        used = [
            use if member.ready_s <= at_s else self.replica.idle_cores
            for use, at_s in zip(self._uses, self._ticks, strict=True)
        ]
        return sum(used) / len(used)

    def _decide(self, now_s: float, fleet: Fleet) -> int:
        current, request = len(fleet), round(self.replica.request_cores * MILLI)
        pods = {member.number: pod(member, now_s) for member in fleet.members}
        if not self._proposals:
            self._proposals.append(Timed(now_s, current))
        proposal = propose(current, pods, self._metrics, self.rules, request, now_s)
        if proposal is None:
            return current
        self.percent = proposal.percent
        stable = stabilize(proposal.replicas, current, self._proposals, self.rules, now_s)
        wanted = limit(stable, current, self._added, self._removed, self.rules, now_s)
        self._remember(proposal.replicas, wanted - current, now_s)
        return wanted

    def _remember(self, proposed: int, change: int, now_s: float) -> None:
        rules = self.rules
        longest_s, period_s = rules.downscale_stabilization_s, 0.0
        if rules.behavior:
            directions = (rules.behavior.up, rules.behavior.down)
            longest_s = max(window_s(direction, rules) for direction in directions)
            period_s = max(policy.period_s for direction in directions for policy in direction.policies)
        self._proposals = [old for old in self._proposals if old.at_s >= now_s - longest_s]
        self._proposals.append(Timed(now_s, proposed))
        self._added = [old for old in self._added if old.at_s >= now_s - period_s]
        self._removed = [old for old in self._removed if old.at_s >= now_s - period_s]
        if change:
            (self._added if change > 0 else self._removed).append(Timed(now_s, abs(change)))


def pod(member: Member, now_s: float) -> Pod:
    """A replica as the controller sees it at a time."""
    ready = member.ready_s <= now_s
    return Pod(member.started_s <= now_s, ready, member.created_s, member.ready_s if ready else member.created_s)


def times(first_s: float, period_s: float) -> Iterator[float]:
    """Regular times without an end, seconds."""
    return (first_s + count * period_s for count in itertools.count())


def forever(given: Iterable[float]) -> Iterator[float]:
    """Given times, and then never."""
    return itertools.chain(given, itertools.repeat(float("inf")))


def next_after(schedule: Iterator[float], now_s: float) -> float:
    """The first time of a schedule after now."""
    return next(at_s for at_s in schedule if at_s > now_s)
