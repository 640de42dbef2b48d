"""Child processes that are waited for and never outlive their parent."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local.errors import StartError

STOP_TIMEOUT_S = 10.0

# Looked up here, as little as possible may happen between fork and exec.
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """A TCP port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_port(port: int, advice: str) -> None:
    """Raise StartError, with the advice, when something already listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise StartError(f"port {port} cannot be used ({reason}): {advice}") from exc


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], *, env: Mapping[str, str], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a process group of its own, its output in `log`; on leaving, end the whole group.

    On Linux it also ends with the thread that started it, so that a killed parent leaves nothing behind.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=functools.partial(_die_with_parent, os.getpid()) if sys.platform == "linux" else None,
        )
    try:
        yield process
    finally:
        _stop(process)


def _die_with_parent(parent: int) -> None:
    """Ask Linux for SIGTERM when the parent dies, even if it is killed and cannot clean up."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # It has died already.
        os._exit(1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group: politely, then, after STOP_TIMEOUT_S, not."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            process.poll()
            if not _group_exists(process.pid):
                return
            time.sleep(0.02)


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_ready(process: subprocess.Popen[bytes], url: str, *, name: str, log: Path, timeout_s: float) -> None:
    """Wait until a GET of `url` is answered with anything but a server error; raises StartError."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartError(f"{name} stopped with status {process.returncode}: {last_line(log)} (log: {log})")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError as exc:
            if exc.code < 500:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise StartError(f"{name} did not answer on {url} within {timeout_s:g} s: {last_line(log)} (log: {log})")


def last_line(log: Path) -> str:
    """The last line of a log that says something, preferably of an error."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error: ")]
    return (errors or lines or ["it printed nothing"])[-1][:300]
