"""The processes of a sandbox, also those that have left its process group: all of them inherit its TMPDIR."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import psutil

END_TIMEOUT_S = 5.0


def members(folder: str) -> Iterator[psutil.Process]:
    """The processes whose TMPDIR begins with `folder`."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("TMPDIR", "").startswith(folder):
                yield process


def end_members(folder: str) -> None:
    """Kill these processes; one that starts others meanwhile is killed with them."""
    deadline = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < deadline and (left := list(members(folder))):
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.01)


def is_running(process: psutil.Process | int) -> bool:
    """Whether a process, or the one with this id, has not ended; one that waits to be reaped has."""
    try:
        process = psutil.Process(process) if isinstance(process, int) else process
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def watch_memory(root: psutil.Process, limit_bytes: int) -> None:
    """Where there are no control groups: kill each descendant of `root` that uses more memory than the limit."""

    def watch() -> None:
        while is_running(root):
            with contextlib.suppress(psutil.Error):
                for process in root.children(recursive=True):
                    if process.memory_info().rss > limit_bytes:
                        process.kill()
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
