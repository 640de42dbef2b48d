"""The replicas of a service over time: created, placed, started, ready, removed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planner.scaling.rules import Replica
from planner.types import Floats

CREATED, STARTED, READY = range(3)  # Columns of Fleet.times.


@dataclass(slots=True)
class Member:
    """One replica, its number, and the seconds at which it was created, its container started and it became ready.

    Until there is room for it on an instance the last two are infinite.
    """

    number: int
    created_s: float
    started_s: float = math.inf
    ready_s: float = math.inf


class Fleet:
    """The replicas of a service; `slots` is the number of replicas that the instances have room for.

    At first `count` replicas are ready.
    """

    def __init__(self, replica: Replica, count: int, slots: float = math.inf) -> None:
        self.replica = replica
        self.slots = slots
        self.members = [Member(number, -math.inf, -math.inf, -math.inf) for number in range(count)]
        self._created = count
        self._ready = count
        self._starting: list[Member] = []
        self._next_s = math.inf

    @property
    def next_s(self) -> float:
        """The next second at which a container starts or a replica becomes ready."""
        return self._next_s

    def __len__(self) -> int:
        return len(self.members)

    @property
    def settled_s(self) -> float:
        """The second at which the last container starts; infinite while a replica waits for an instance."""
        return max((member.started_s for member in self.members), default=-math.inf)

    @property
    def times(self) -> Floats:
        """When each replica was created, its container started and it became ready, seconds, `(P, 3)`."""
        rows = [(member.created_s, member.started_s, member.ready_s) for member in self.members]
        return np.array(rows, np.float64).reshape(-1, 3)

    def ready(self, now_s: float) -> int:
        """The number of replicas that are ready at a time; times must not decrease."""
        if now_s >= self._next_s:
            self._starting = [member for member in self._starting if member.ready_s > now_s]
            self._count(now_s)
        return self._ready

    def _count(self, now_s: float) -> None:
        self._ready = len(self.members) - len(self._starting)
        changes = (one.started_s if one.started_s > now_s else one.ready_s for one in self._starting)
        self._next_s = min(changes, default=math.inf)

    def running(self, now_s: float) -> int:
        """The number of replicas whose container runs, ready or not."""
        ready = self.ready(now_s)
        return ready + sum(member.started_s <= now_s for member in self._starting) if self._starting else ready

    def scale(self, wanted: int, now_s: float) -> None:
        """Create or remove replicas until there are `wanted`; the newest go first.

        A ReplicaSet removes those first that are not ready. Here they are the newest, as all start in the same time:
        https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
        """
        self.ready(now_s)
        if wanted < len(self.members):
            del self.members[wanted:]
            kept = {member.number for member in self.members}
            self._starting = [member for member in self._starting if member.number in kept]
        while len(self.members) < wanted:
            member = Member(self._created, now_s)
            self._created += 1
            self.members.append(member)
            self._starting.append(member)
        self.place(now_s)

    def place(self, now_s: float) -> None:
        """Start the replicas that wait for an instance, the oldest first, as far as there is room."""
        waiting = [member for member in self._starting if member.started_s == math.inf]
        room = self.slots - (len(self.members) - len(waiting))
        for member in waiting[: len(waiting) if room == math.inf else max(0, int(room))]:
            member.started_s = now_s + self.replica.pending_s
            member.ready_s = now_s + self.replica.startup_s
        self._count(now_s)
