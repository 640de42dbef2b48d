"""The Knative pod autoscaler on concurrent requests, with scale to zero.

Source: https://github.com/knative/serving/blob/main/pkg/autoscaler/scaling/autoscaler.go
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from planner.scaling.alarms import ceiling
from planner.scaling.fleet import Fleet
from planner.scaling.rules import KnativeRules


class KnativeScaler:
    """Follows the mean concurrency of a stable window, and of a short one while in panic."""

    def __init__(self, rules: KnativeRules) -> None:
        self.rules = rules
        self._stable: deque[float] = deque(maxlen=round(rules.stable_window_s))
        self._panic: deque[float] = deque(maxlen=max(1, round(rules.stable_window_s * rules.panic_window_share)))
        self._next_s = rules.tick_s
        self._soon_s = 0.0
        self._panic_s: float | None = None
        self._most_in_panic = 0
        self._zero_s: float | None = None

    @property
    def next_s(self) -> float:
        """The next second at which the autoscaler decides; the next of all while there is no replica."""
        return self._soon_s

    def advance(self, ticks: Sequence[float], demand: Sequence[float], use: Sequence[float], fleet: Fleet) -> int:
        """The replicas wanted at the last of these ticks, of a second each, with this demand in cores."""
        concurrent = [cores / self.rules.cores_per_request for cores in demand]
        self._stable.extend(concurrent)
        self._panic.extend(concurrent)
        current, now_s = len(fleet), ticks[-1]
        # Without a replica the activator reports the first request at once.
        first = not current and concurrent[-1] > 0
        wanted = current
        if first or now_s >= self._next_s:
            wanted = max(self._wanted(now_s, fleet.ready(now_s)), int(first), self.rules.min_replicas)
            wanted = self._zero(now_s, min(wanted, self.rules.max_replicas), current)
        while self._next_s <= now_s:
            self._next_s += self.rules.tick_s
        self._soon_s = self._next_s if wanted else now_s
        return wanted

    def _wanted(self, now_s: float, ready: int) -> int:
        rules, ready = self.rules, max(1, ready)
        target = rules.target_concurrency * rules.utilization
        least, most = math.floor(ready / rules.most_down_rate), math.ceil(ready * rules.most_up_rate)
        stable = ceiling(sum(self._stable) / len(self._stable) / target)
        panic = ceiling(sum(self._panic) / len(self._panic) / target)
        if panic / ready >= rules.panic_threshold:
            self._panic_s = now_s
        elif self._panic_s is not None and self._panic_s + rules.stable_window_s < now_s:
            self._panic_s, self._most_in_panic = None, 0
        wanted = min(max(stable, least), most)
        if self._panic_s is None:
            return wanted
        self._most_in_panic = max(self._most_in_panic, wanted, min(max(panic, least), most))
        return self._most_in_panic

    def _zero(self, now_s: float, wanted: int, current: int) -> int:
        """The last replica stays for the grace period."""
        if wanted or not current:
            self._zero_s = None
            return wanted
        self._zero_s = now_s if self._zero_s is None else self._zero_s
        return 0 if now_s >= self._zero_s + self.rules.grace_s else 1
