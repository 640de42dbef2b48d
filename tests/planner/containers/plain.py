"""The same rules for a fixed number of replicas, one request after the other, in plain Python."""

from __future__ import annotations

import math
from dataclasses import dataclass

from planner.types import Floats


@dataclass(frozen=True)
class Taken:
    """A request that a replica has taken: when it is answered, and when its place is free."""

    answered: float
    leaves: float


Row = tuple[str, float, float]  # outcome, latency, wait


def balanced(
    arrivals: Floats, services: Floats, luck: Floats, *, replicas: int, balancer: str, queue: int, timeout_s: float,
    deadline_s: float, overhead_s: float,
) -> list[Row]:  # fmt: skip
    """Outcomes behind a load balancer; `luck` are the random numbers, by which the replica is chosen."""
    taken: list[list[Taken]] = [[] for _ in range(replicas)]
    free = [0.0] * replicas
    rows: list[Row] = []
    for turn, (now, service) in enumerate(zip(arrivals.tolist(), services.tolist(), strict=True)):
        candidates = list(range(replicas))
        if balancer == "least":
            open_ones = [sum(one.answered > now for one in requests) for requests in taken]
            candidates = [one for one in candidates if open_ones[one] == min(open_ones)]
        chosen = turn % replicas if balancer == "round-robin" else candidates[int(luck[turn] * len(candidates))]
        answer = now + min(timeout_s, deadline_s)
        if sum(one.leaves > now for one in taken[chosen]) >= queue:
            rows.append(("refused", math.nan, math.nan))
        elif free[chosen] - now >= deadline_s:
            taken[chosen].append(Taken(answer, now + deadline_s))
            rows.append(("timed out", math.nan, math.nan))
        else:
            start = max(now, free[chosen])
            free[chosen] = start + service
            ends = start + service + overhead_s
            late = ends - now > min(timeout_s, deadline_s)
            taken[chosen].append(Taken(min(ends, answer), ends))
            rows.append(("timed out" if late else "served", math.nan if late else ends - now, start - now))
    return rows


def activated(
    arrivals: Floats, services: Floats, *, replicas: int, queue: int, timeout_s: float, deadline_s: float,
    overhead_s: float,
) -> list[Row]:  # fmt: skip
    """Outcomes behind an activator: the earlier requests decide when the next can begin."""
    free = [0.0] * replicas
    rows: list[Row] = []
    leaves: list[float] = []  # When each earlier request leaves the queue.
    for now, service in zip(arrivals.tolist(), services.tolist(), strict=True):
        start = max(now, min(free))
        if sum(one > now for one in leaves) >= queue:
            rows.append(("refused", math.nan, math.nan))
        elif start >= now + timeout_s:
            leaves.append(now + timeout_s)
            rows.append(("timed out", math.nan, math.nan))
        else:
            leaves.append(start)
            ends = start + service + overhead_s
            free[free.index(min(free))] = ends
            late = ends - now > timeout_s or ends - start > deadline_s
            rows.append(("timed out" if late else "served", math.nan if late else ends - now, start - now))
    return rows
