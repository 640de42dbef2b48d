"""Bounds on what one request may take: its time, and the memory of the pictures in work."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from serving.errors import DeadlineExceeded

LARGE_BLOCK = 16_000_000  # bytes; a photograph of five megapixels, so that smaller ones reuse their memory
# Of the time until the deadline, what a queue may take: requests differ, and the last one should be in time too.
_SURE = 0.8
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def return_freed_memory() -> None:
    """Make malloc return large blocks to the operating system as soon as they are freed.

    By default glibc keeps freed blocks of up to 32 MB for the thread that freed them, so that every thread that has
    ever decoded a large picture holds memory. Other C libraries are left as they are.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK)
        mallopt(_M_TRIM_THRESHOLD, LARGE_BLOCK)  # Grows with the other until both are set.


class Deadline:
    """The moment at which a request is answered with 504, whatever it is waiting for."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining_s(self) -> float:
        """The seconds that are left, 0 when there are none."""
        return max(0.0, self._end - time.monotonic())

    def check(self, step: str) -> None:
        """Raise DeadlineExceeded when no time is left for the step."""
        if not self.remaining_s():
            raise self.exceeded(step)

    def exceeded(self, step: str) -> DeadlineExceeded:
        """The error; `step` says what the request was waiting for."""
        return DeadlineExceeded(
            f"the request was stopped after {self.seconds:.3g} s (REQUEST_TIMEOUT_S), before it could {step}: try again"
        )


def places(most: int, deadline_s: float, pace_s: float) -> int:
    """The places of a queue that answers a request each `pace_s`, so that the last one is answered before its deadline.

    At least 1, at most `most`; 0 as a pace is an unknown one.
    """
    return max(1, min(most, int(_SURE * deadline_s / pace_s))) if pace_s > 0 else most


class PixelBudget:
    """Limits the pixels that all requests of a process decode and annotate at the same time. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_work = 0
        self._changed = threading.Condition()
        # Only the first in line waits for pixels, so that small pictures cannot starve a large one.
        self._line = threading.Lock()

    @contextmanager
    def reserve(self, pixels: int, deadline: Deadline) -> Iterator[None]:
        """Wait until the pixels are free, and hold them; raises DeadlineExceeded."""
        with acquired(self._line, deadline, "decode"), self._changed:
            if not self._changed.wait_for(lambda: self._in_work + pixels <= self._limit, deadline.remaining_s()):
                raise deadline.exceeded("decode")
            self._in_work += pixels
        try:
            yield
        finally:
            with self._changed:
                self._in_work -= pixels
                self._changed.notify_all()


@contextmanager
def acquired(lock: threading.Lock | threading.Semaphore, deadline: Deadline, step: str) -> Iterator[None]:
    """Hold a lock, or a place of a semaphore; raises DeadlineExceeded when it is not free in time."""
    if not lock.acquire(timeout=deadline.remaining_s()):
        raise deadline.exceeded(step)
    try:
        yield
    finally:
        lock.release()
