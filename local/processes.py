"""Start servers as child processes, wait until they are ready, and end them with their parent."""

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
from types import FrameType

from local.errors import StartError

STOP_TIMEOUT_S = 10.0
PORTS = range(16_000, 32_000)
_BLOCK = 64  # ports that one process has at a time
_held: list[socket.socket] = []  # The first port of each block that this process has.
_block = iter(range(0))

# Looked up at import, because as little as possible may happen between fork and exec.
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """A TCP port that is free at the moment, and that no process had from here before; raises StartError.

    A server takes a port only seconds after it was chosen. The kernel chooses at random, so that others, and
    connections, may have it by then. Here each process has blocks of its own, below the kernel's range.
    """
    global _block
    while True:
        for port in _block:
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("0.0.0.0", port))
                return port
        _block = _next_block()


def _next_block() -> Iterator[int]:
    """A block that no other process has: its first port is bound until this process ends."""
    starts = PORTS[::_BLOCK]
    for number in range(len(starts)):
        start = starts[(os.getpid() + number) % len(starts)]
        guard = socket.socket()
        try:
            guard.bind(("0.0.0.0", start))
        except OSError:
            guard.close()
            continue
        _held.append(guard)
        return iter(range(start + 1, start + _BLOCK))
    raise StartError(f"none of the ports {PORTS[0]} to {PORTS[-1]} is free: stop what uses them")


def check_port(port: int, advice: str) -> None:
    """Raise StartError with the advice if a port of this machine is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise StartError(f"port {port} cannot be used ({reason}): {advice}") from exc


def interrupt_on_signals() -> None:
    """Raise KeyboardInterrupt on SIGTERM and SIGHUP as on Ctrl-C, also in a shell's background, which ignores SIGINT.

    A SIGHUP that is ignored stays so: the command was started by nohup.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], *, env: Mapping[str, str], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a new process group with its output in `log`; at the end of the block, end the whole group.

    On Linux the server also ends with the thread that started it, so a killed parent leaves no process behind.
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
    """End a process and its group by SIGTERM, and after STOP_TIMEOUT_S by SIGKILL."""
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
    """Wait until a GET of `url` gives a response other than a server error; raises StartError."""
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
    """The last line of a log that is not empty, or its last error line if it has one."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error: ")]
    return (errors or lines or ["it printed nothing"])[-1][:300]
