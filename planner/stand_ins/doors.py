"""The two stand-ins as they work on requests: the service, and the local Lambda with its sandboxes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from loadtest.run.matrix import IDLE_S
from local.aws_lambda.cgroups import PERIOD_US
from local.aws_lambda.sandbox import Function
from planner.stand_ins.machine import Done, Gate, Machine, Steps, Work
from planner.stand_ins.singles import Request
from serving.bounds import Deadline
from serving.errors import Overloaded
from serving.http.queue import Place, Queue
from serving.settings import Settings

ANSWERED, UNAVAILABLE, LATE, THROTTLED = 200, 503, 504, 429

# service.THREADS, which this room may not import; a test compares them.
THREADS = 8
MAX_QUEUE = int(Settings.model_fields["max_queue"].default)
REQUEST_TIMEOUT_S = float(Settings.model_fields["request_timeout_s"].default)
EVENT_TIMEOUT_S = float(Function.timeout_s)  # With the init.


# Draws the times of a request that is not the first one of its process.
Draw = Callable[[], Request]


@dataclass(frozen=True)
class Cores:
    """A machine of `count` cores."""

    count: int

    def narrow(self, seconds: float, cpus: float = math.inf) -> Work:
        """A step with one thread, which took this long alone; `cpus` limits it."""
        most = min(1.0, cpus) / self.count
        return Work(seconds * most, most)

    def wide(self, seconds: float, cpus: float = math.inf) -> Work:
        """A step with a thread per core, which took this long alone, then limited to `cpus`.

        The limit is one per period, so that a step that is over within a period's share is not slowed down by it.
        """
        if cpus >= self.count or seconds * self.count <= cpus * PERIOD_US / 1e6:
            return Work(seconds)
        return Work(seconds * cpus / self.count, cpus / self.count)


class Service:
    """The service: one inference at a time, other steps of up to 8 requests at once.

    An inference uses all cores. Python runs one thread of a process at a time, so its steps count as work of the whole
    machine too: HTTP, fetch and store. Decode and annotate are C++, for which Python lets other threads run.
    """

    def __init__(self, machine: Machine, cores: Cores) -> None:
        self._machine, self._cores = machine, cores
        self._threads, self._engine = Gate(THREADS), Gate(1)
        self._queue = Queue(lambda: machine.now)
        self._in_work = self._requests = self._threads_used = 0

    def answer(self, first: Request, draw: Draw) -> Steps:
        """Answer a request; the result is its status and whether it is the first one of the process.

        The first request of each thread takes the times of `first`, but its inference is slower only once, and the
        first write to a new S3 server not at all.
        """
        try:
            place = self._queue.enter(MAX_QUEUE, Deadline(REQUEST_TIMEOUT_S))
        except Overloaded:
            return UNAVAILABLE, False
        self._in_work += 1
        self._requests += 1
        cold, times, latest_s = self._requests == 1, draw(), self._machine.now + REQUEST_TIMEOUT_S
        if self._threads_used < min(self._in_work, THREADS):
            self._threads_used += 1
            detect = first.detect if cold else times.detect
            times = dataclasses.replace(first, fetch=times.fetch, detect=detect, store=times.store)
        work = self._machine.start(self._steps(times, latest_s, place))
        yield Done(work, latest_s)
        return (ANSWERED if work.done and work.result else LATE), cold

    def _steps(self, times: Request, latest_s: float, place: Place) -> Steps:
        """The result is whether they were done in time; a request that is too late ends at its next step."""
        machine = self._machine
        yield Work(times.other)
        yield self._threads
        if in_time := machine.now < latest_s:
            yield Work(times.fetch)
            yield self._cores.narrow(times.decode)
            yield self._engine
            if in_time := machine.now < latest_s:
                yield Work(times.detect)
            self._engine.leave(machine)
        if in_time := in_time and machine.now < latest_s:
            yield self._cores.narrow(times.annotate)
            yield Work(times.store)
        self._threads.leave(machine)
        self._in_work -= 1
        in_time = in_time and machine.now <= latest_s
        place.answered(in_time)
        place.free()
        return in_time


@dataclass
class Sandbox:
    """A sandbox, and since when it is idle."""

    since_s: float = 0.0


@dataclass
class Functions:
    """The local Lambda: a sandbox per request at once, each limited to `cpus` after its init.

    `idle_s` after its last response a sandbox is ended, by a check that comes at `phase` of its period.
    """

    machine: Machine
    cores: Cores
    cpus: float
    concurrency: int
    idle_s: float = IDLE_S
    phase: float = 0.0
    _busy: int = 0
    _idle: list[Sandbox] = field(default_factory=list)

    def answer(self, first: Request, draw: Draw) -> Steps:
        """Answer a request, with the times of `first` if it is a cold start; the result is status and whether cold."""
        self._idle = [one for one in self._idle if self.machine.now < self._ends_s(one)]
        if not self._idle and self._busy >= self.concurrency:
            return THROTTLED, False
        self._busy += 1
        cold = not self._idle
        sandbox = Sandbox() if cold else self._idle.pop()
        begun_s = self.machine.now
        work = self.machine.start(self._cold(first, draw()) if cold else self._warm(draw()))
        yield Done(work, begun_s + EVENT_TIMEOUT_S)
        self._busy -= 1
        if not work.done:
            self.machine.cancel(work)
            return UNAVAILABLE, cold
        sandbox.since_s = self.machine.now
        self._idle.append(sandbox)
        return (ANSWERED if work.result else LATE), cold

    def _ends_s(self, sandbox: Sandbox) -> float:
        period = min(1.0, self.idle_s / 4)
        return (math.ceil((sandbox.since_s + self.idle_s) / period - self.phase) + self.phase) * period

    def _cold(self, first: Request, other: Request) -> Steps:
        """An init without a limit. S3 is connected in the init, so that fetch and store take as long as later."""
        yield self.cores.narrow(first.other)
        return (yield from self._steps(dataclasses.replace(first, fetch=other.fetch, store=other.store)))

    def _warm(self, times: Request) -> Steps:
        yield self.cores.narrow(times.other, self.cpus)
        return (yield from self._steps(times))

    def _steps(self, times: Request) -> Steps:
        latest_s = self.machine.now + REQUEST_TIMEOUT_S
        yield self.cores.narrow(times.fetch, self.cpus)
        yield self.cores.narrow(times.decode, self.cpus)
        yield self.cores.wide(times.detect, self.cpus)
        yield self.cores.narrow(times.annotate, self.cpus)
        yield self.cores.narrow(times.store, self.cpus)
        return self.machine.now < latest_s
