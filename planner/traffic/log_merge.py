"""The requests of several nearly sorted logs in the order of their times, with bounded memory."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from planner.errors import TrafficError
from planner.traffic.log_files import LogFile, LogLines, read
from planner.types import Floats

WINDOW_S = 600.0  # a line may come so long after a later request
MOST_WAITING = 5_000_000  # requests that wait for earlier ones
MOST_OPEN = 200  # files that cover the same time; each needs one or two megabytes
MOST_LINES = 1_000_000_000
CHUNK = 250_000  # requests


@dataclass
class Found:
    """What was read so far; times in seconds since 1970."""

    lines: int = 0
    requests: int = 0
    wrong: int = 0
    first_wrong: str = ""
    first_s: float = math.inf
    last_s: float = -math.inf

    @property
    def others(self) -> int:
        """Requests of other paths than /predict, and redirected ones."""
        return self.lines - self.wrong - self.requests

    def add(self, log: LogFile, lines: LogLines, times: Floats) -> None:
        """Count some lines, whose times are `times`."""
        wrong = np.isnan(times) & ~lines.blank
        if wrong.any() and not self.wrong:
            self.first_wrong = f"{log.file}, line {lines.first + int(wrong.argmax())}"
        self.lines += int((~lines.blank).sum())
        self.requests += int(lines.predict.sum())
        self.wrong += int(wrong.sum())
        if self.lines > MOST_LINES:
            raise TrafficError(f"{log.file}: the logs have more than {MOST_LINES:,} lines: take a shorter time")
        self.first_s = float(np.fmin.reduce(times, initial=self.first_s))
        self.last_s = float(np.fmax.reduce(times, initial=self.last_s))


class Window:
    """Requests that wait until no earlier one can come."""

    def __init__(self) -> None:
        self.passed_s = -math.inf  # all requests before it were given out
        self._sorted: Floats = np.empty(0)
        self._new: list[Floats] = []
        self._number = 0

    def add(self, times: Floats) -> None:
        """Add requests, an array `(N,)` of any order."""
        self._new.append(times)
        self._number += times.size

    @property
    def full(self) -> bool:
        """Whether it is time to give out; not too often, since that sorts all that wait."""
        return self._number >= max(CHUNK, self._sorted.size)

    def take(self, until_s: float) -> Iterator[Floats]:
        """The requests before a time in their order; more of them if too many would wait."""
        times = np.concatenate((self._sorted, *self._new))
        times.sort()
        self._new, self._number = [], 0
        count = int(np.searchsorted(times, until_s))
        if times.size - count > MOST_WAITING:
            count = times.size - MOST_WAITING // 2
            until_s = float(times[count])
        self.passed_s = max(self.passed_s, until_s)
        self._sorted = times[count:].copy()
        for start in range(0, count, CHUNK):
            yield times[start : min(start + CHUNK, count)]


def merge(logs: Sequence[LogFile], random: np.random.Generator, found: Found) -> Iterator[Floats]:
    """The requests of /predict in chunks, arrays `(N,)`, seconds since 1970, which do not decrease.

    Each time is drawn uniformly within its resolution. Raises TrafficError for a request that comes too late.
    """
    ahead, window = deque(logs), Window()
    # Of each open file how far it was read, seconds since 1970; the one that is behind is read next.
    opened: list[tuple[float, int, LogFile, Iterator[LogLines]]] = []
    while ahead or opened:
        if ahead and (not opened or ahead[0].first_s <= opened[0][0]):
            log = ahead.popleft()
            if len(opened) >= MOST_OPEN:
                raise TrafficError(f"{log.file}: more than {MOST_OPEN} files cover the same time: join some")
            heapq.heappush(opened, (log.first_s, len(ahead), log, read(log)))
            continue
        so_far, order, log, blocks = opened[0]
        lines = next(blocks, None)
        if lines is None:
            heapq.heappop(opened)
            continue
        times = lines.times + log.form.resolution_s * random.random(lines.times.size)
        found.add(log, lines, times)
        _refuse_late(log, lines, times, window.passed_s)
        window.add(times[lines.predict])
        heapq.heapreplace(opened, (float(np.fmax.reduce(times, initial=so_far)), order, log, blocks))
        if window.full:
            behind = min(opened[0][0], ahead[0].first_s if ahead else math.inf)
            yield from window.take(behind - WINDOW_S)
    yield from window.take(math.inf)


def _refuse_late(log: LogFile, lines: LogLines, times: Floats, passed_s: float) -> None:
    late = lines.predict & (times < passed_s)
    if late.any():
        at = int(late.argmax())
        came = datetime.fromtimestamp(float(lines.times[at]), timezone.utc)
        raise TrafficError(
            f"{log.file}, line {lines.first + at}: a request of {came:%Y-%m-%d %H:%M:%S} comes more than "
            f"{WINDOW_S / 60:g} minutes or {MOST_WAITING:,} requests after a later one: sort the lines"
        )
