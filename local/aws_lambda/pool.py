"""Local sandboxes, as many as are asked for at once: what AWS Lambda's control plane does, on one machine."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local.aws_lambda.leftovers import sandbox_folder
from local.aws_lambda.sandbox import Function, Gone, Invocation, Sandbox
from local.errors import StartError

_log = logging.getLogger(__name__)


class Throttled(Exception):
    """All sandboxes that the limit allows are at work."""


class Pool:
    """Starts sandboxes on demand up to `limit`, gives each one event at a time, and ends those idle for `idle_s`."""

    def __init__(self, function: Function, folder: Path, *, limit: int, idle_s: float) -> None:
        self.function, self.limit = function, limit
        self.invocations: Counter[str] = Counter()
        self.cold_starts = 0
        self.peak_memory = 0
        self.last_init_ms = 0.0
        self._folder, self._idle_s = folder, idle_s
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._busy = 0
        self._idle: list[tuple[float, Sandbox]] = []  # The last one used is the next one used, as on AWS.
        # Linux ends a child with the thread that started it (see `running`): this one lives as long as the pool.
        self._starter = ThreadPoolExecutor(1, "sandboxes")
        self._closed = threading.Event()
        threading.Thread(target=self._reap, daemon=True).start()

    def state(self) -> dict[str, int]:
        """How many sandboxes are busy and idle."""
        with self._lock:
            return {"busy": self._busy, "idle": len(self._idle)}

    def invoke(self, event: bytes) -> Invocation:
        """Have one event answered; raises Throttled, or StartError when no sandbox can be started."""
        with self._lock:
            if not self._idle and self._busy >= self.limit:
                self.invocations["throttled"] += 1
                raise Throttled
            self._busy += 1
        survivor = None
        try:
            sandbox, done = self._answer(event)
            if done.failure in (None, "exception"):
                survivor = sandbox
            else:
                sandbox.stop()
        finally:
            with self._lock:
                self._busy -= 1
                if survivor and not self._closed.is_set():
                    self._idle.append((time.monotonic(), survivor))
                    survivor = None
            if survivor:
                survivor.stop()
        with self._lock:
            self.invocations[done.failure or "answered"] += 1
            self.cold_starts += done.cold
            self.peak_memory = max(self.peak_memory, done.peak_memory)
            self.last_init_ms = done.init_ms if done.cold else self.last_init_ms
        return done

    def _answer(self, event: bytes) -> tuple[Sandbox, Invocation]:
        """Have an event answered by an idle sandbox, or by a new one when none is left that lives."""
        while sandbox := self._take_idle():
            with contextlib.suppress(Gone):
                return sandbox, self._ask(sandbox, event)
            _log.warning("%s died while idle", sandbox.name)
        sandbox = self._starter.submit(self._start).result()
        try:
            return sandbox, self._ask(sandbox, event)
        except Gone as exc:
            raise StartError(f"{sandbox.name} ended before its first event (log: {sandbox.log})") from exc

    def _ask(self, sandbox: Sandbox, event: bytes) -> Invocation:
        try:
            return sandbox.invoke(event)
        except BaseException:
            sandbox.stop()
            raise

    def _take_idle(self) -> Sandbox | None:
        with self._lock:
            return self._idle.pop()[1] if self._idle else None

    def _start(self) -> Sandbox:
        return Sandbox(self.function, self._folder / sandbox_folder(os.getpid(), next(self._numbers)))

    def _reap(self) -> None:
        while not self._closed.wait(min(1.0, self._idle_s / 4)):
            oldest = time.monotonic() - self._idle_s
            with self._lock:
                ended = [sandbox for since, sandbox in self._idle if since < oldest or not sandbox.is_alive()]
                self._idle = [(since, sandbox) for since, sandbox in self._idle if sandbox not in ended]
            for sandbox in ended:
                sandbox.stop()

    def close(self) -> None:
        """End all sandboxes."""
        self._closed.set()
        with self._lock:
            idle, self._idle = self._idle, []
        for _, sandbox in idle:
            sandbox.stop()
        self._starter.shutdown()
