"""The Knative pod autoscaler on concurrent requests, with scale to zero, compiled.

Source: https://github.com/knative/serving/blob/main/pkg/autoscaler/scaling/autoscaler.go
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from planner.jit import compiled
from planner.scaling.alarms import ceiling
from planner.scaling.rules import KnativeRules
from planner.types import Floats, Integers

# Positions in Knative.memory: the next regular decision and the next one of all, which comes at once while there is no
# replica; the begin of the last panic (-inf without) and the most replicas in it; since when there could be none (inf).
NEXT, SOON, PANIC_S, MOST, ZERO_S = range(5)


class Knative(NamedTuple):
    """Follows the mean concurrency of a stable window, and of a short one while in panic; changed in place."""

    memory: Floats
    window: Floats  # a ring of the concurrency of each second
    seen: Integers  # (1,) seconds so far
    panic_ticks: int
    cores_per_request: float
    target: float
    tick_s: float
    window_s: float
    panic_threshold: float
    up_rate: float
    down_rate: float
    grace_s: float
    least: int
    most: int


def new_knative(rules: KnativeRules) -> Knative:
    """These rules, before the first second."""
    window_s = rules.stable_window_s
    return Knative(
        memory=np.array([rules.tick_s, 0.0, -np.inf, 0.0, np.inf]), window=np.zeros(round(window_s)),
        seen=np.zeros(1, np.int64), panic_ticks=max(1, round(window_s * rules.panic_window_share)),
        cores_per_request=float(rules.cores_per_request), target=rules.target_concurrency * rules.utilization,
        tick_s=float(rules.tick_s), window_s=float(window_s), panic_threshold=float(rules.panic_threshold),
        up_rate=float(rules.most_up_rate), down_rate=float(rules.most_down_rate), grace_s=float(rules.grace_s),
        least=rules.min_replicas, most=rules.max_replicas,
    )  # fmt: skip


@compiled
def follow(knative: Knative, now_s: float, demand: Floats, current: int, ready: int) -> int:
    """The replicas wanted at the last of some ticks of a second each, with this demand in cores, `(T,)`."""
    memory, window = knative.memory, knative.window
    for cores in demand:
        window[knative.seen[0] % len(window)] = cores / knative.cores_per_request
        knative.seen[0] += 1
    # Without a replica the activator reports the first request at once.
    first = current == 0 and demand[-1] > 0
    wanted = current
    if first or now_s >= memory[NEXT]:
        wanted = max(_wanted(knative, now_s, ready), int(first), knative.least)
        wanted = _zero(knative, now_s, min(wanted, knative.most), current)
    while memory[NEXT] <= now_s:
        memory[NEXT] += knative.tick_s
    memory[SOON] = memory[NEXT] if wanted else now_s
    return wanted


@compiled
def _wanted(knative: Knative, now_s: float, ready: int) -> int:
    memory, ready = knative.memory, max(1, ready)
    least, most = math.floor(ready / knative.down_rate), math.ceil(ready * knative.up_rate)
    stable = ceiling(_mean(knative, len(knative.window)) / knative.target)
    panic = ceiling(_mean(knative, knative.panic_ticks) / knative.target)
    if panic / ready >= knative.panic_threshold:
        memory[PANIC_S] = now_s
    elif memory[PANIC_S] + knative.window_s < now_s:
        memory[PANIC_S], memory[MOST] = -np.inf, 0
    wanted = min(max(stable, least), most)
    if memory[PANIC_S] == -np.inf:
        return wanted
    memory[MOST] = max(memory[MOST], wanted, min(max(panic, least), most))
    return int(memory[MOST])


@compiled
def _mean(knative: Knative, ticks: int) -> float:
    """The mean concurrency of the last ticks."""
    seen, total = knative.seen[0], 0.0
    size = min(seen, ticks)
    for tick in range(seen - size, seen):
        total += knative.window[tick % len(knative.window)]
    return float(total / size)


@compiled
def _zero(knative: Knative, now_s: float, wanted: int, current: int) -> int:
    """The last replica stays for the grace period."""
    memory = knative.memory
    if wanted or not current:
        memory[ZERO_S] = np.inf
        return wanted
    memory[ZERO_S] = min(memory[ZERO_S], now_s)
    return 0 if now_s >= memory[ZERO_S] + knative.grace_s else 1
