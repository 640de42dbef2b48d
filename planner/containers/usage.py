"""What replicas and instances cost, and how many there were."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from loadtest.cost.prices import Burstable
from planner.containers.credits import Credits
from planner.means import TimeMean
from planner.scaling.books import Book
from planner.types import Booleans, Floats


@dataclass(frozen=True)
class Usage:
    """Over the time that is counted; requests by their arrival.

    `replica_s` and `instance_s` are the seconds of replicas and of their hosts that are paid: from launch to removal,
    that of a replica being the end of its last inference. Without instances on the platform, replicas are the hosts.
    `busy_s` are the seconds of inference. `surplus_vcpu_s` is what burstable instances in unlimited mode used beyond
    their baseline and did not earn back, per instance, the rest at the end included; 0 for other instances.
    """

    replica_s: float
    instance_s: float
    busy_s: float
    surplus_vcpu_s: float
    requests: int
    refused: int
    timed_out: int
    most_replicas: int
    most_instances: int


class Ledger:
    """Adds up usage from one decision to the next."""

    def __init__(self, book: Book, burst: Burstable | None, rate: float, since_s: float) -> None:
        self._has_instances = book.instances is not None
        self.credits = Credits(burst, book.instances, rate)
        self._since_s = since_s
        self._until_s = math.inf
        self._drained = TimeMean(since_s)
        self._replica_s = self._host_s = self._busy_s = 0.0
        self._most_replicas = self._most_hosts = 0
        self._requests = np.zeros(3, np.int64)

    def add_requests(self, arrivals: Floats, refused: Booleans, timed_out: Booleans) -> None:
        """Count requests and their outcomes."""
        counted = arrivals >= self._since_s
        self._requests += [counted.sum(), (counted & refused).sum(), (counted & timed_out).sum()]

    def add_span(self, start_s: float, end_s: float, replicas: int, hosts: int) -> None:
        """Count a time in which replicas had a place on hosts."""
        seconds = end_s - max(start_s, self._since_s)
        if self._until_s < math.inf or seconds < 0:
            return
        self._replica_s += replicas * seconds
        self._host_s += hosts * seconds
        self._most_replicas = max(self._most_replicas, replicas)
        self._most_hosts = max(self._most_hosts, hosts)

    def spend(self, start_s: float, end_s: float, hosts: int, spent: Floats) -> None:
        """Count the CPU credits of a time in which replicas spent some seconds on inferences, `(R,)`."""
        if self._until_s < math.inf:
            return
        charged = self.credits.spend(end_s - start_s, hosts, spent)
        if end_s >= self._since_s:
            self.credits.account.surplus[0] += charged

    def add_drained(self, start_s: float, ends_s: Floats) -> None:
        """Count replicas that were removed at a time, and work until `ends_s`."""
        if self._until_s < math.inf:
            return
        later = ends_s[ends_s > start_s]
        self._drained.add(np.full(later.size, start_s), later, now_s=start_s)

    def close(self, until_s: float, inferences_s: float) -> None:
        """End the time that is counted; `inferences_s` is the work in it of replicas that were not removed."""
        seconds = until_s - self._since_s
        drained_s = self._drained.until(until_s) * seconds if seconds > 0 else 0.0
        self._until_s = until_s
        self._replica_s += drained_s
        self._busy_s = inferences_s + drained_s
        self.credits.account.surplus[0] += self.credits.owed

    def usage(self) -> Usage:
        """All that was counted, after the end."""
        requests, refused, timed_out = self._requests.tolist()
        return Usage(
            replica_s=self._replica_s, instance_s=self._host_s if self._has_instances else self._replica_s,
            busy_s=self._busy_s, surplus_vcpu_s=float(self.credits.account.surplus[0]),
            requests=requests, refused=refused, timed_out=timed_out,
            most_replicas=self._most_replicas, most_instances=self._most_hosts,
        )  # fmt: skip
