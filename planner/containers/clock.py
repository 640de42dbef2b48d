"""The loop of a simulation: requests, replicas that become ready, and the decisions of the autoscaler, in order."""

from __future__ import annotations

import math

import numpy as np

from planner.containers.balanced import ACTIVATOR
from planner.containers.parameters import Parameters
from planner.containers.pools import ActivatedPool, BalancedPool, Chunk
from planner.containers.stride import MOST_TICKS, Steady
from planner.containers.timeline import Recorder, Timeline
from planner.containers.usage import Ledger
from planner.scaling import simulate
from planner.scaling.instances import no_provider
from planner.scaling.policy import PolicyScaler
from planner.scaling.rules import KnativeRules


class Clock:
    """Advances from one decision to the next, each at the end of a tick of a second.

    A decision is taken when an arrival after it is known, so that chunks make no difference.
    """

    def __init__(self, parameters: Parameters) -> None:
        book, limits = parameters.book, parameters.limits
        pool = ActivatedPool if limits.balancer == ACTIVATOR else BalancedPool
        self.pool = pool(limits, book.scaler.max_replicas, MOST_TICKS, parameters.since_s)
        self.ledger = Ledger(book, parameters.burst, parameters.rate, parameters.since_s)
        self._rate, self._cores = parameters.rate, book.replica.cores
        self._knative = book.scaler if isinstance(book.scaler, KnativeRules) else None
        self._platform = simulate.Simulation(book, parameters.count)
        instances = self._platform.instances
        self._provider = instances.provider if instances else no_provider()
        self._recorder = Recorder(parameters.step_s)
        self._begin = 0
        self._until_s = 0.0
        self._open()

    def serve(self, chunk: Chunk) -> None:
        """Serve a chunk, until its last arrival."""
        arrivals = chunk.arrivals
        self._recorder.add_arrivals(arrivals)
        first = 0
        while True:
            first = self._stride(chunk, first, last_s=-math.inf)
            event_s, is_ready = self._event()
            # A replica serves what arrives in the moment when it is ready; a decision comes after all of its tick.
            stop = first + int(np.searchsorted(arrivals[first:], event_s, "left" if is_ready else "right"))
            if stop > first:
                self.pool.serve(chunk, first, stop)
            if stop == len(arrivals):
                if stop:
                    self._until_s = float(arrivals[-1])
                return
            first = stop
            self._pass(chunk, event_s, is_ready, next_s=float(arrivals[first]))

    def finish(self, chunk: Chunk, until_s: float) -> None:
        """End the time that is counted, and go on until nothing waits."""
        while True:
            self._stride(chunk, 0, last_s=until_s)
            event_s, is_ready = self._event()
            if event_s > until_s:
                break
            self._pass(chunk, event_s, is_ready, next_s=until_s)
        self.pool.close(chunk, until_s)
        self._add_span(until_s)
        self.ledger.spend(self._begin, until_s, self._platform.hosts, self.pool.work.spent)
        self._record(int(until_s))
        self.ledger.close(until_s, self.pool.inferences_s)
        self._until_s = until_s
        while self.pool.waits:
            self._pass(chunk, *self._event(), next_s=math.inf)

    def timeline(self) -> Timeline:
        """Replicas over time, as far as decisions are taken."""
        return self._recorder.timeline(self._until_s)

    def _open(self) -> None:
        """Begin the ticks until the next decision; replicas become ready in the first one only."""
        first = self._begin + 1
        self._end = min(self._platform.last_tick(first), self._begin + MOST_TICKS)
        self._count = self._platform.ready(first)
        new = self._platform.fleet.members[self.pool.ready : self._count]
        self._starting = [max(member.ready_s, self._begin) for member in new]

    def _event(self) -> tuple[float, bool]:
        """When something changes next, and whether it is a replica that becomes ready."""
        return (self._starting[0], True) if self._starting else (self._end, False)

    def _pass(self, chunk: Chunk, event_s: float, is_ready: bool, *, next_s: float) -> None:
        """Let the next event happen; the next arrival, or the end, is at `next_s`."""
        if is_ready:
            self.pool.settle(chunk, event_s)
            self.pool.activate(event_s)
            del self._starting[0]
            return
        if self._knative and not (len(self._platform.fleet) or self.pool.waits or self._platform.instances):
            # While Knative is at zero nothing happens until a request comes.
            latest = self._begin + MOST_TICKS
            self._end = max(self._end, min(latest, math.ceil(next_s) - 1 if next_s < latest else latest))
        self.pool.close(chunk, self._end)
        self._decide()

    def _stride(self, chunk: Chunk, first: int, *, last_s: float) -> int:
        """Let the compiled loop go on, where it can; returns the next request of the chunk."""
        platform, pool, scaler = self._platform, self.pool, self._platform.scaler
        instances, fleet = platform.instances, platform.fleet
        # At zero, Knative without instances has nothing to decide until a request comes: see _pass.
        decides = len(fleet) or instances or not self._knative
        while isinstance(scaler, PolicyScaler) and not self._starting and decides:
            until_s = min(fleet.next_s - 1, instances.booted_s if instances else math.inf)
            if self._end >= until_s:
                break
            steady = Steady(
                scaler.present(fleet, self._begin + 1), instances.needed(len(fleet)) if instances else 0,
                platform.hosts, self._rate, self._cores, float(until_s),
            )  # fmt: skip
            span = np.array([self._begin, self._end])
            first, wanted, hosts = pool.stride(
                chunk, first, last_s, span, steady, scaler.policy, self._provider, self.ledger.credits.account
            )
            begin, end = span.tolist()
            changed = (wanted, hosts) != (len(fleet), platform.hosts)
            self._add_span(end if changed else begin)
            self._record(end - 1 if changed else begin)
            self._begin, self._end = begin, end
            if not changed:
                break
            # It takes no decision on instances where the replicas change.
            self._change(wanted, hosts if wanted == len(fleet) else None)
            decides = len(fleet) or instances or not self._knative
        return first

    def _decide(self) -> None:
        """Tell the autoscaler what happened in the ticks that end, and do what it wants."""
        work, begin, end = self.pool.work, self._begin, self._end
        busy, inside = work.busy[: end - begin] * self._rate, work.inside[: end - begin]
        use = np.minimum(busy / max(1, self._count), self._cores).tolist()
        demand = inside * self._knative.cores_per_request if self._knative else busy
        self._add_span(end)
        self.ledger.spend(begin, end, self._platform.hosts, work.spent)
        self._record(end - 1)
        self._change(
            self._platform.scaler.advance(range(begin + 1, end + 1), demand.tolist(), use, self._platform.fleet)
        )

    def _change(self, wanted: int, hosts: int | None = None) -> None:
        """Have as many replicas as are wanted, and as many instances, if that is decided; begin new ticks."""
        end = self._end
        self._platform.change(wanted, end, hosts)
        self.pool.begin_ticks(end)
        if wanted < self.pool.ready:
            self.ledger.add_drained(end, self.pool.retire(wanted, end))
        self._count = self._platform.ready(end)
        self._record(end)
        self._begin = end
        self._open()

    def _add_span(self, until_s: float) -> None:
        fleet, hosts = self._platform.fleet, self._platform.hosts
        # A replica without an instance is not there yet.
        placed = sum(one.started_s < math.inf for one in fleet.members) if self._platform.instances else len(fleet)
        self.ledger.add_span(self._begin, until_s, placed, hosts)

    def _record(self, until_s: int) -> None:
        self._recorder.add(until_s, len(self._platform.fleet), self._count, self._platform.hosts)
