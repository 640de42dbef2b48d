"""The queue of the HTTP door: requests that could not be answered in time are refused at once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from serving.bounds import Deadline, places
from serving.errors import Overloaded

_RECENT = 16  # responses


class Queue:
    """Counts the requests in work or waiting, and how often one is answered. It belongs to one event loop.

    A full queue that takes longer than REQUEST_TIMEOUT_S would be useless: each request would reach its turn at the
    moment when it gets 504.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken = self._unanswered = 0
        self._since = 0.0
        self._intervals: deque[float] = deque(maxlen=_RECENT)

    def enter(self, most: int, deadline: Deadline) -> Place:
        """Take one of at most `most` places; raises Overloaded."""
        pace_s = sum(self._intervals) / len(self._intervals) if self._intervals else 0.0
        if self._taken >= places(most, deadline.remaining_s(), pace_s):
            reason = "MAX_QUEUE" if self._taken >= most else f"more could not be answered in {deadline.seconds:.3g} s"
            raise Overloaded(f"{self._taken} requests are in work or waiting ({reason}): try again later")
        if not self._unanswered:
            self._since = self._clock()
        self._taken += 1
        self._unanswered += 1
        return Place(self)

    def answered(self, in_time: bool) -> None:
        """One request has its response. One that came too late shows no pace: it may have been given up early."""
        self._unanswered -= 1
        if in_time:
            now = self._clock()
            self._intervals.append(now - self._since)
            self._since = now

    def leave(self) -> None:
        """A place is free again."""
        self._taken -= 1


class Place:
    """A request's place in the queue, which it keeps until its response has been taken."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._answered = False

    def answered(self, in_time: bool) -> None:
        """The response begins; what the client needs to take it says nothing about this service."""
        if not self._answered:
            self._answered = True
            self._queue.answered(in_time)

    def free(self) -> None:
        """The request has ended."""
        self.answered(in_time=False)
        self._queue.leave()
