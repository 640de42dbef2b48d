"""The compiled loop from decision to decision of an autoscaler, as long as it changes nothing.

It does what `planner.containers.clock` does, which takes over where a replica or an instance comes or goes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from planner.containers import activator, balanced
from planner.containers.activator import Line
from planner.containers.balanced import ACTIVATOR, Limits, Lines
from planner.containers.credits import Account, spend
from planner.containers.work import BEGIN, SINCE, Work, count_all
from planner.jit import compiled
from planner.scaling.alarms import DUE
from planner.scaling.controller import heed
from planner.scaling.instances import Provider, provide
from planner.scaling.knative import follow
from planner.scaling.policy import HPA, KNATIVE, Policy, Present, due_s, react
from planner.scaling.simulate import MOST_SECONDS
from planner.types import Bytes, Floats, Integers

MOST_TICKS = 3600  # of a second each, between two decisions
FROM, TO = range(2)  # Positions in a span.


class Steady(NamedTuple):
    """What holds during a stride: the replicas, and instances of which they need some; cores of a busy replica.

    At `until_s` a container starts, an instance is up, or a replica becomes ready a second later.
    """

    present: Present
    needed: int
    hosts: int
    rate: float
    cores: float
    until_s: float


@compiled
def stride(
    arrivals: Floats,
    services: Floats,
    first: int,
    drawn: bool,
    offset: int,
    last_s: float,
    span: Integers,
    steady: Steady,
    policy: Policy,
    provider: Provider,
    account: Account,
    limits: Limits,
    work: Work,
    lines: Lines,
    line: Line,
    luck: Floats,
    latency: Floats,
    wait: Floats,
    outcome: Bytes,
) -> tuple[int, int, int]:
    """Serve a chunk from `first` on; returns the next request, and the replicas and instances wanted.

    `span` has the begin and the end of the present ticks. If other replicas or instances are wanted than there are, the
    decision at its end is taken but not done. Without further requests it goes on until `last_s`.
    """
    present, hosts, activated = steady.present, steady.hosts, limits.balancer == ACTIVATOR
    # In the loop each use of a whole policy takes longer than a decision, as it counts references of all its arrays.
    kind, alarmed, knative, hpa = policy
    decided, provided = due_s(policy), provider.points.numbers[DUE : DUE + 1]
    while True:
        begin, end = span[FROM], span[TO]
        stop = first + int(np.searchsorted(arrivals[first:], float(end), "right"))
        if stop > first:
            if activated:
                activator.serve(arrivals, services, first, stop, drawn, present.ready, offset, limits, work, line,
                                luck, latency, wait, outcome)  # fmt: skip
            else:
                balanced.serve(arrivals, services, first, stop, drawn, present.ready, limits, work, lines,
                               luck, latency, wait, outcome)  # fmt: skip
        first = stop
        if (stop == len(arrivals) and end > last_s) or end >= steady.until_s:
            return first, present.replicas, hosts
        if activated:
            activator.close(float(end), present.ready, limits, work, line, latency, wait, outcome)
        else:
            count_all(present.ready, float(end), work)
        charged = spend(account, float(end - begin), hosts, work.spent)
        if end >= work.clock[SINCE]:
            account.surplus[0] += charged
        ticks = end - begin
        demand = work.busy[:ticks] * steady.rate
        use = np.minimum(demand / max(1, present.ready), steady.cores)
        if kind == HPA:
            wanted = heed(hpa, float(end), use, present.times)
        elif kind == KNATIVE:
            demand = work.inside[:ticks] * knative.cores_per_request
            wanted = follow(knative, float(end), demand, present.replicas, present.ready)
        else:
            wanted = react(kind, alarmed, float(end), use, present)
        if wanted == present.replicas and end >= provided[0]:
            hosts = provide(provider, float(end), steady.needed, hosts)
        if wanted != present.replicas or hosts != steady.hosts:
            return first, wanted, hosts
        work.busy[: ticks + 1] = 0
        work.inside[: ticks + 1] = 0
        work.spent[:] = 0
        work.clock[BEGIN] = end
        next_s = min(decided[0], provided[0], steady.until_s, MOST_SECONDS)
        span[FROM], span[TO] = end, min(max(end + 1, math.ceil(next_s)), end + MOST_TICKS)
