"""The requests of a load profile as JMeter sends them, and when each was answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from loadtest.profiles import Profile
from planner.errors import TrafficError
from planner.stand_ins.machine import Machine, Meeting, Steps, Until, Work

MOST_REQUESTS = 100_000  # of one simulated run; one takes a millisecond
# Answers a request with a number; the result is status and whether it was cold.
Answer = Callable[[int], Steps]


@dataclass(frozen=True)
class Sample:
    """A request: start and response time, seconds, status, and whether it was cold."""

    at_s: float
    elapsed_s: float
    status: int
    cold: bool


class Client:
    """Sends the requests of `profile` to `answer`; `between` is the work of the client between two of one user.

    Requests are numbered in the order in which the users take them, as pictures are.
    """

    def __init__(self, machine: Machine, profile: Profile, answer: Answer, between: Work) -> None:
        self.samples: list[Sample] = []
        self._machine, self._profile, self._answer, self._between = machine, profile, answer, between
        self._together = Meeting(profile.users) if profile.together else None
        self._taken = 0

    def run(self) -> list[Sample]:
        """All requests, in the order of their start; raises TrafficError if there are too many."""
        for steps in self._users():
            self._machine.start(steps)
        self._machine.run()
        return sorted(self.samples, key=lambda sample: sample.at_s)

    def _users(self) -> Iterator[Steps]:
        profile = self._profile
        if profile.open:
            for arrival_ms in profile.arrivals_ms():
                yield self._scheduled(arrival_ms / 1000)
        elif profile.steps:
            for start_ms in profile.starts_ms():
                yield self._user(start_ms / 1000, until_s=profile.step_times()[-1][1])
        else:
            for _ in range(profile.users):
                yield self._user(0.0, loops=profile.loops)

    def _scheduled(self, at_s: float) -> Steps:
        yield Until(at_s)
        yield from self._send(self._take())

    def _user(self, start_s: float, *, until_s: float = float("inf"), loops: int | None = None) -> Steps:
        yield Until(start_s)
        sent = 0
        while self._machine.now < until_s and sent != loops:
            number = self._take()
            if self._profile.pause_s:
                yield Until(self._machine.now + self._profile.pause_s)
            if self._together:
                yield self._together
            yield from self._send(number)
            yield self._between
            sent += 1

    def _take(self) -> int:
        self._taken += 1
        if self._taken > MOST_REQUESTS:
            raise TrafficError(f"profile {self._profile.name} has more than {MOST_REQUESTS:,} requests: shorten it")
        return self._taken - 1

    def _send(self, number: int) -> Steps:
        at_s = self._machine.now
        status, cold = yield from self._answer(number)
        self.samples.append(Sample(at_s, self._machine.now - at_s, status, cold))
