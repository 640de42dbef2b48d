from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local.errors import StartError
from local.processes import check_port, free_port, running, wait_until_ready
from tests.conftest import wait_for

FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
{ignore}
time.sleep(600)
"""
IGNORE = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def exists(process_id: int) -> bool:
    try:
        return "Z (zombie)" not in Path(f"/proc/{process_id}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
def test_leaving_ends_the_process_and_its_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running([sys.executable, "-c", FAMILY.format(ignore="")], env=os.environ, log=log) as process:
        assert wait_for(lambda: log.read_text().strip())
        child = int(log.read_text())
        assert exists(child)
    assert process.poll() is not None
    assert wait_for(lambda: not exists(child))


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.processes.STOP_TIMEOUT_S", 0.3)
    log = tmp_path / "log"
    with running([sys.executable, "-c", FAMILY.format(ignore=IGNORE)], env=os.environ, log=log) as process:
        assert wait_for(lambda: log.read_text().strip())
    assert wait_for(lambda: process.poll() == -signal.SIGKILL)


def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = """
import os, sys, time
from pathlib import Path
from local.processes import running
with running([sys.executable, "-c", "import time; time.sleep(600)"], env=os.environ, log=Path(sys.argv[1])) as p:
    print(p.pid, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    assert wait_for(lambda: not exists(child))


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StartError, match=rf"^port {port} cannot be used \(Address already in use\): use another$"):
            check_port(port, "use another")


def test_a_server_that_stops_is_reported_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import sys; print('error: no model'); print('bye'); sys.exit(3)"
    with running([sys.executable, "-c", code], env=os.environ, log=log) as process:
        url = f"http://127.0.0.1:{free_port()}/"
        with pytest.raises(StartError, match=r"^it stopped with status 3: error: no model "):
            wait_until_ready(process, url, name="it", log=log, timeout_s=10)


def test_a_server_that_never_answers_is_reported(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running([sys.executable, "-c", "import time; time.sleep(600)"], env=os.environ, log=log) as process:
        url = f"http://127.0.0.1:{free_port()}/"
        with pytest.raises(StartError, match=r"did not answer on .* within 0.2 s: it printed nothing"):
            wait_until_ready(process, url, name="it", log=log, timeout_s=0.2)


def test_a_port_is_not_chosen_twice_and_not_when_it_is_taken() -> None:
    first = free_port()
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", first + 1)):
        assert len({first, first + 1, *(free_port() for _ in range(150))}) == 152


def test_two_processes_are_not_given_the_same_port() -> None:
    """A server takes its port seconds later: until then another process finds it free, and may answer in its place."""
    code = "import os, sys; from local import processes; os.getpid = lambda: 7\n"
    code += "print(*(processes.free_port() for _ in range(100)), flush=True); sys.stdin.read()"
    ports: list[str] = []
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            command = [sys.executable, "-c", code]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            assert process.stdout and process.stdin
            stack.callback(process.stdin.close)
            ports += process.stdout.readline().split()
    assert len(ports) == len(set(ports)) == 200


WAITS = """
import signal
from local.processes import interrupt_on_signals
interrupt_on_signals()
try:
    print("waits", flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("ignored", [False, True])
def test_signals_interrupt_also_in_the_background_but_nohup_stays(number: signal.Signals, ignored: bool) -> None:
    def ignore() -> None:
        signal.signal(number, signal.SIG_IGN)

    process = subprocess.Popen(
        [sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True, preexec_fn=ignore if ignored else None
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(number)
        if ignored and number == signal.SIGHUP:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)
            process.terminate()
        assert process.stdout.read() == "interrupted\n"
        assert process.wait() == 0
