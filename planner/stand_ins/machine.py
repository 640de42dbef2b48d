"""A machine whose cores are shared by all that runs on it, simulated from event to event.

What happens is written as generators, which yield the steps below. Work is counted in seconds of the whole machine: a
step that keeps all cores busy for a second is 1 s of work.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

# Rounding leaves less work than this at the end of a step.
LEAST_WORK_S = 1e-9


class Step(Protocol):
    """Something that takes time; the process that yields it is resumed when it is over."""

    def begin(self, machine: Machine, process: Process) -> None:
        """Start the step."""
        ...


# A generator of steps; its result is that of `yield from`.
Steps = Generator[Step, Any, Any]


class Process:
    """A running generator; `result` is its result once it is `done`."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.done = self.cancelled = False
        self.result: Any = None
        self.waiting: list[Callable[[], None]] = []


@dataclass(eq=False)
class Job:
    """Work in progress: what is left of it, and its present share of the machine."""

    process: Process
    left_s: float
    most: float
    rate: float = 0.0


class Machine:
    """The cores, the time, and all processes."""

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._jobs: list[Job] = []
        self._changed = False

    def start(self, steps: Steps) -> Process:
        """Begin a process now."""
        process = Process(steps)
        self.resume(process)
        return process

    def at(self, time_s: float, action: Callable[[], None]) -> None:
        """Do something at a time, or now if it is past."""
        heapq.heappush(self._timers, (max(time_s, self.now), next(self._order), action))

    def resume(self, process: Process) -> None:
        """Go on with a process whose step is over."""
        if process.cancelled:
            return
        try:
            step = next(process.steps)
        except StopIteration as end:
            process.done, process.result = True, end.value
            for action in process.waiting:
                action()
        else:
            step.begin(self, process)

    def cancel(self, process: Process) -> None:
        """Stop a process for good; it must hold no gate."""
        process.cancelled = True
        self._jobs = [job for job in self._jobs if job.process is not process]
        self._changed = True

    def add(self, job: Job) -> None:
        """Begin some work."""
        self._jobs.append(job)
        self._changed = True

    def run(self) -> None:
        """Go on until nothing is left to do."""
        while self._jobs or self._timers:
            if self._changed:
                share(self._jobs)
                self._changed = False
            end = min((self.now + job.left_s / job.rate for job in self._jobs), default=float("inf"))
            timer = self._timers[0][0] if self._timers else float("inf")
            self._advance(min(end, timer))
            if timer <= end:
                heapq.heappop(self._timers)[2]()

    def _advance(self, until_s: float) -> None:
        """Let all jobs work until a time, and resume the processes of those that are done then."""
        passed, self.now = until_s - self.now, until_s
        done = []
        for job in self._jobs:
            job.left_s -= passed * job.rate
            if job.left_s <= LEAST_WORK_S * job.rate:
                done.append(job)
        if done:
            self._jobs = [job for job in self._jobs if job not in done]
            self._changed = True
            for job in done:
                self.resume(job.process)


def share(jobs: list[Job]) -> None:
    """Set the rates: each job gets an equal share of the machine, at most its limit; what is left goes to others."""
    left = 1.0
    for others, job in zip(range(len(jobs), 0, -1), sorted(jobs, key=lambda job: job.most), strict=True):
        job.rate = min(job.most, left / others)
        left -= job.rate


@dataclass(frozen=True)
class Work:
    """A step of `seconds` of the whole machine, of which it gets the share `most` at most."""

    seconds: float
    most: float = 1.0

    def begin(self, machine: Machine, process: Process) -> None:
        machine.add(Job(process, self.seconds, self.most))


@dataclass(frozen=True)
class Until:
    """A step that ends at a time, seconds."""

    time_s: float

    def begin(self, machine: Machine, process: Process) -> None:
        machine.at(self.time_s, lambda: machine.resume(process))


@dataclass(frozen=True)
class Done:
    """A step that ends with another process, or at a time."""

    other: Process
    latest_s: float = float("inf")

    def begin(self, machine: Machine, process: Process) -> None:
        over = False

        def once() -> None:
            nonlocal over
            if not over:
                over = True
                machine.resume(process)

        if self.other.done:
            once()
            return
        self.other.waiting.append(once)
        if self.latest_s < float("inf"):
            machine.at(self.latest_s, once)


class Gate:
    """Lets `places` processes in, first come first served: yield it to enter, and `leave` it afterwards."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._queue: deque[Process] = deque()

    def begin(self, machine: Machine, process: Process) -> None:
        """Enter."""
        if self._free:
            self._free -= 1
            machine.at(machine.now, lambda: machine.resume(process))
        else:
            self._queue.append(process)

    def leave(self, machine: Machine) -> None:
        """Let the next one in."""
        if self._queue:
            following = self._queue.popleft()
            machine.at(machine.now, lambda: machine.resume(following))
        else:
            self._free += 1


class Meeting:
    """A step that ends for all when `size` processes have come."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._here: list[Process] = []

    def begin(self, machine: Machine, process: Process) -> None:
        self._here.append(process)
        if len(self._here) < self._size:
            return
        met, self._here = self._here, []
        for one in met:
            machine.at(machine.now, lambda one=one: machine.resume(one))  # type: ignore[misc]
