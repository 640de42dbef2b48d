"""Memory, threads, open files and connections to S3 of the service's processes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from tests.soak.tally import Tally

EVERY_S = 0.25


@dataclass(frozen=True)
class Usage:
    """What the processes of the service use."""

    rss_mb: float
    threads: int
    files: int  # Without the connections to S3.
    s3_connections: int


class Watch:
    """Samples the service; the largest memory goes to the phase that runs."""

    def __init__(self, process_id: Callable[[], int], s3_port: int, tally: Tally) -> None:
        """Watch the process that has this id at the time, and its children."""
        self._process_id = process_id
        self._s3_port = s3_port
        self._tally = tally
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def usage(self) -> Usage:
        """What is used now."""
        rss = threads = files = to_s3 = 0
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(self._process_id())
            for process in (root, *root.children(recursive=True)):
                rss += process.memory_info().rss
                threads += process.num_threads()
                peers = [one.raddr.port for one in process.net_connections("tcp") if one.raddr]
                to_s3 += peers.count(self._s3_port)
                files += process.num_fds()
        return Usage(rss / 2**20, threads, files - to_s3, to_s3)

    def stop(self) -> None:
        """End the sampling."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(EVERY_S):
            phase = self._tally.phases[-1]
            phase.rss_mb = max(phase.rss_mb, self.usage().rss_mb)
