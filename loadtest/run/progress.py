"""The progress of a run, read from the samples while JMeter writes them."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from loadtest.errors import TargetError
from loadtest.profiles import Profile
from loadtest.results.jtl import NO_RESPONSE, NO_STATUS, TRUE, Tail

EVERY_S = 10.0  # Interval of lines without a terminal.


@dataclass
class Progress:
    """Counts of the samples so far."""

    file: Path
    requests: int = 0
    errors: int = 0
    cold_starts: int = 0
    users: int = 0
    started: float | None = None  # Seconds since 1970, of the first sample.
    fatal: str | None = None  # Why all requests will fail; set while all samples so far say so.

    def __post_init__(self) -> None:
        self._tail = Tail(self.file)
        self._users: dict[str, int] = {}  # By the server that the name of a thread begins with, if there are servers.

    def read(self) -> None:
        """Count the samples that were written since the last call."""
        for sample in self._tail.rows():
            self._count(sample)

    def _count(self, sample: dict[str, str]) -> None:
        failed = sample["success"] != TRUE
        if self.fatal or not self.requests:
            self.fatal = hopeless(sample) if failed else None
        self.started = min(self.started if self.started is not None else math.inf, int(sample["timeStamp"]) / 1000)
        self.requests += 1
        self.errors += failed
        self.cold_starts += sample["cold"] == TRUE
        self._users[sample["threadName"].partition("users ")[0]] = int(sample["allThreads"])
        self.users = sum(self._users.values())


def hopeless(sample: dict[str, str]) -> str | None:
    """Why the requests after a failed sample will fail as well; None if they may not."""
    status, content, code = sample["responseCode"], sample["content"], sample["code"]
    if status.startswith(NO_STATUS):
        return f"does not answer: {sample['responseMessage'].removeprefix(NO_RESPONSE)}"
    if status in ("401", "403"):
        return f"answers {status}: set API_KEY to the key, and API_KEY_HEADER to its header"
    if code == "image_not_found":
        return "has no pictures in its input bucket: python -m loadtest pictures BUCKET uploads them"
    if code == "storage_refused":
        return "cannot use its buckets (storage_refused): see the service's log"
    if content == "text/html":
        return f"answers {status} with HTML: is it the URL of the API with its stage, or of the load balancer?"
    if code in ("not_found", "method_not_allowed") or (status in ("200", "404", "405") and not code):
        return f"answers {status}, but not as /predict does: is it the right URL?"
    return None


class Display:
    """One line with the progress of a run: rewritten on a terminal, repeated at intervals elsewhere."""

    def __init__(self, profile: Profile, what: str, out: TextIO = sys.stderr) -> None:
        self._profile, self._what, self._out = profile, what, out
        self._start = time.monotonic()
        self._total, self._length = profile.total, profile.length_s
        self._last = -EVERY_S
        self._seen: tuple[float, int] = (self._start, 0)

    def show(self, progress: Progress, *, last: bool = False) -> None:
        """Print the line if it is due."""
        now = time.monotonic()
        terminal = self._out.isatty()
        if not terminal and not last and now - self._last < EVERY_S:
            return
        self._last = now
        line = f"{self._what}: {self.line(progress, now)}"
        self._out.write(f"\r\x1b[K{line[:200]}" + ("\n" if last else "") if terminal else f"{line}\n")
        self._out.flush()

    def line(self, progress: Progress, now: float) -> str:
        """The line: progress, users, rate, errors and cold starts."""
        passed = now - self._start
        before, counted = self._seen
        rate = (progress.requests - counted) / (now - before) if now > before else 0.0
        if now - before >= 5:
            self._seen = (now, progress.requests)
        requests = f"{progress.requests} of {self._total} requests" if self._total else f"{progress.requests} requests"
        long = f"{passed:.0f} s"
        if self._length:  # JMeter starts before the profile does, and ends after it.
            passed = time.time() - progress.started if progress.started is not None else 0.0
            long = f"{min(max(passed, 0), self._length):.0f} of {self._length:.0f} s"
        return (
            f"{requests}, {long}, {self._users(progress)}{rate:.1f}/s, "
            f"{progress.errors} errors, {progress.cold_starts} cold starts"
        )

    def _users(self, progress: Progress) -> str:
        """Active users: JMeter's threads without those whose step has not begun."""
        if self._profile.open or progress.started is None:
            return ""
        passed_ms = (time.time() - progress.started) * 1000
        begun = (
            sum(start <= passed_ms for start in self._profile.starts_ms()) if self._profile.steps else progress.users
        )
        return f"{min(begun, progress.users)} users, "


def check_first(progress: Progress, url: str) -> None:
    """Raise TargetError if the samples so far show that all requests will fail."""
    if progress.fatal:
        raise TargetError(f"{url} {progress.fatal}")
