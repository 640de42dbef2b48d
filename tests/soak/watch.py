"""Memory, threads and open files of the service's processes."""

from __future__ import annotations

import contextlib
import threading
import urllib.request
from dataclasses import dataclass

import psutil

from local.doors import LocalService
from tests.soak.tally import Tally

EVERY_S = 0.25
RESTART_WITHIN_S = 60.0


@dataclass(frozen=True)
class Usage:
    """What the processes of the service use."""

    rss_mb: float
    threads: int
    files: int


class Watch:
    """Samples the service; the largest memory goes to the phase that runs."""

    def __init__(self, service: LocalService, tally: Tally) -> None:
        self._root = psutil.Process(service.process_id)
        self._url = f"{service.url}/readyz"
        self._tally = tally
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def worker(self) -> psutil.Process:
        """The process that answers requests."""
        [worker] = [child for child in self._root.children() if "_bentoml_impl.worker.service" in child.cmdline()]
        return worker

    def wait_for_worker(self) -> None:
        """Wait until a new worker is ready: until then, connections wait in the backlog of the service's socket."""
        urllib.request.urlopen(self._url, timeout=RESTART_WITHIN_S).close()

    def usage(self) -> Usage:
        """What is used now."""
        rss = threads = files = 0
        for process in (self._root, *self._root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                rss += process.memory_info().rss
                threads += process.num_threads()
                files += process.num_fds()
        return Usage(rss / 2**20, threads, files)

    def stop(self) -> None:
        """End the sampling."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(EVERY_S):
            phase = self._tally.phases[-1]
            phase.rss_mb = max(phase.rss_mb, self.usage().rss_mb)
