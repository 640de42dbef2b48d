"""The Kubernetes HPA over time, compiled: its beats, the windows of its metrics, and what it remembers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from planner.jit import compiled
from planner.scaling.fleet import READY, STARTED
from planner.scaling.hpa import (
    AT_S,
    COUNT,
    MILLI,
    MISSING,
    PERIOD_S,
    UNKNOWN,
    HpaNumbers,
    limit,
    numbers_of,
    propose,
    stabilize,
)
from planner.scaling.rules import HpaRules, Replica
from planner.types import Floats, Integers

# Positions in Hpa.memory: the next beat, the next end of a window, the earlier of both, the end of the window of the
# present metrics, seconds, and the utilization that the status shows, percent.
BEAT_S, WINDOW_S, DUE_S, END_S, PERCENT = range(5)
# Positions in Hpa.counts: beats and windows so far, ticks of the present window, and pods at the last tick.
BEATS, WINDOWS, TICKS, PODS = range(4)
TICK_S, USE = range(2)  # Rows of Hpa.window.
PROPOSED, ADDED, REMOVED = range(3)  # What Hpa.events has.


class Schedule(NamedTuple):
    """Given times, and regular times after them, seconds."""

    given: Floats
    first_s: float
    period_s: float


class Hpa(NamedTuple):
    """The controller with its metrics pipeline; arrays are changed in place."""

    rules: HpaNumbers
    beats: Schedule
    windows: Schedule
    idle_cores: float
    proposals_s: float  # Proposals count for so long, and changes.
    changes_s: float
    memory: Floats
    counts: Integers
    window: Floats  # (2, T) the ticks of the present window, and the use of a ready replica in each, cores
    millicores: Integers  # (R,) the present metrics
    events: Floats  # (3, N, 2) numbers with their times
    sizes: Integers  # (3,) of the events


def new_hpa(
    rules: HpaRules, replica: Replica, beats: Sequence[float] | None = None, windows: Sequence[float] | None = None
) -> Hpa:
    """These rules, before the first tick; `beats` and `windows` replace the regular times by recorded ones."""
    numbers = numbers_of(rules, replica.request_cores)
    at_beats, at_ends = (
        _schedule(beats, rules.first_sync_s, rules.sync_s),
        _schedule(windows, rules.first_window_s, rules.window_s),
    )
    beat_s, end_s = _time(at_beats, 0), _time(at_ends, 0)
    proposals_s, changes_s = numbers.down.window_s, 0.0
    if rules.behavior:
        policies = np.concatenate((numbers.up.policies, numbers.down.policies))
        proposals_s, changes_s = max(proposals_s, numbers.up.window_s), float(policies[:, PERIOD_S].max())
    # The first beat has two proposals; one more for times that floating point rounds.
    most = int(max(proposals_s, changes_s) // rules.sync_s) + 4 if beats is None else len(beats) + 2
    ticks = math.ceil(max(rules.window_s, rules.first_window_s)) + 1
    return Hpa(
        rules=numbers, beats=at_beats, windows=at_ends, idle_cores=float(replica.idle_cores), proposals_s=proposals_s,
        changes_s=changes_s, memory=np.array([beat_s, end_s, min(beat_s, end_s), 0.0, UNKNOWN]),
        counts=np.zeros(4, np.int64), window=np.zeros((2, ticks)),
        millicores=np.full(rules.max_replicas, MISSING, np.int64), events=np.zeros((3, most, 2)),
        sizes=np.zeros(3, np.int64),
    )  # fmt: skip


def _schedule(given: Sequence[float] | None, first_s: float, period_s: float) -> Schedule:
    """Regular times without an end; given times, and then never."""
    if given is None:
        return Schedule(np.empty(0), float(first_s), float(period_s))
    return Schedule(np.array(given, np.float64), math.inf, 1.0)


def with_room(hpa: Hpa, pods: int, ticks: int) -> Hpa:
    """The same with room for so many pods and further ticks, for callers whose ticks are shorter than a second."""
    if pods > len(hpa.millicores):
        millicores = np.full(pods, MISSING, np.int64)
        millicores[: len(hpa.millicores)] = hpa.millicores
        hpa = hpa._replace(millicores=millicores)
    needed = hpa.counts[TICKS] + ticks
    if needed > hpa.window.shape[1]:
        hpa = hpa._replace(window=np.concatenate((hpa.window, np.zeros((2, needed))), axis=1))
    return hpa


@compiled
def heed(hpa: Hpa, now_s: float, use: Floats, times: Floats) -> int:
    """The replicas wanted at the last of some ticks of a second each, or of one tick of any length.

    `use` is that of each ready replica in each tick, cores, `(T,)`; `times` are those of the replicas, `(P, 3)`.
    """
    memory, counts, window, pods = hpa.memory, hpa.counts, hpa.window, len(times)
    hpa.millicores[pods : max(pods, counts[PODS])] = MISSING
    counts[PODS] = pods
    for tick in range(len(use)):
        window[TICK_S, counts[TICKS]] = now_s - (len(use) - 1 - tick)
        window[USE, counts[TICKS]] = use[tick]
        counts[TICKS] += 1
    if now_s >= memory[WINDOW_S]:
        _measure(hpa, now_s, times)
        memory[WINDOW_S] = _next_after(hpa.windows, counts, WINDOWS, now_s)
    wanted = pods
    if now_s >= memory[BEAT_S]:
        wanted = _decide(hpa, memory[BEAT_S], times)
        memory[BEAT_S] = _next_after(hpa.beats, counts, BEATS, now_s)
    memory[DUE_S] = min(memory[BEAT_S], memory[WINDOW_S])
    return wanted


@compiled
def _measure(hpa: Hpa, now_s: float, times: Floats) -> None:
    """Publish the means of the window that ends, rounded down; a pod appears once its container runs."""
    window, millicores = hpa.window[:, : hpa.counts[TICKS]], hpa.millicores
    whole = _mean_use(window, hpa.idle_cores, -np.inf)
    for pod in range(len(times)):
        millicores[pod] = MISSING
        if times[pod, STARTED] <= now_s:
            ready_s = times[pod, READY]
            mean = whole if ready_s <= window[TICK_S, 0] else _mean_use(window, hpa.idle_cores, ready_s)
            millicores[pod] = int(mean * MILLI)
    hpa.memory[END_S] = now_s
    hpa.counts[TICKS] = 0


@compiled
def _mean_use(window: Floats, idle_cores: float, ready_s: float) -> float:
    """The mean use of a pod that is idle until it is ready, cores."""
    total = 0.0
    for tick in range(window.shape[1]):
        total += window[USE, tick] if ready_s <= window[TICK_S, tick] else idle_cores
    return float(total / window.shape[1])


@compiled
def _decide(hpa: Hpa, now_s: float, times: Floats) -> int:
    current, events, sizes = len(times), hpa.events, hpa.sizes
    if not sizes[PROPOSED]:
        _remember(events[PROPOSED], sizes, PROPOSED, now_s, current)
    proposed, percent = propose(times, hpa.millicores, hpa.memory[END_S], hpa.rules, now_s)
    if percent == UNKNOWN:
        return current
    hpa.memory[PERCENT] = percent
    earlier = events[PROPOSED, : sizes[PROPOSED]]
    added, removed = events[ADDED, : sizes[ADDED]], events[REMOVED, : sizes[REMOVED]]
    stable = stabilize(proposed, current, earlier, hpa.rules, now_s)
    wanted = limit(stable, current, added, removed, hpa.rules, now_s)
    _forget(earlier, sizes, PROPOSED, now_s - hpa.proposals_s)
    _forget(added, sizes, ADDED, now_s - hpa.changes_s)
    _forget(removed, sizes, REMOVED, now_s - hpa.changes_s)
    _remember(events[PROPOSED], sizes, PROPOSED, now_s, proposed)
    if wanted != current:
        kind = ADDED if wanted > current else REMOVED
        _remember(events[kind], sizes, kind, now_s, abs(wanted - current))
    return wanted


@compiled
def _remember(rows: Floats, sizes: Integers, kind: int, now_s: float, count: int) -> None:
    """Add a number to those of its kind, which have room."""
    rows[sizes[kind], AT_S], rows[sizes[kind], COUNT] = now_s, count
    sizes[kind] += 1


@compiled
def _forget(rows: Floats, sizes: Integers, kind: int, since_s: float) -> None:
    """Remove the numbers of a kind that are older than a time."""
    sizes[kind] = 0
    for row in range(len(rows)):
        if rows[row, AT_S] >= since_s:
            rows[sizes[kind]] = rows[row]
            sizes[kind] += 1


@compiled
def _next_after(schedule: Schedule, counts: Integers, which: int, now_s: float) -> float:
    """The first time of a schedule after now."""
    counts[which] += 1
    while _time(schedule, counts[which]) <= now_s:
        counts[which] += 1
    return _time(schedule, counts[which])


@compiled
def _time(schedule: Schedule, number: int) -> float:
    if number < len(schedule.given):
        return float(schedule.given[number])
    return float(schedule.first_s + number * schedule.period_s)
