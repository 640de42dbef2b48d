"""A local sandbox of AWS Lambda: the real runtime under AWS's own runtime interface emulator, one request at a time."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from local.aws_lambda.cgroups import Cgroup
from local.aws_lambda.emulator import emulator
from local.aws_lambda.leftovers import name_of
from local.aws_lambda.members import end_members, is_running, watch_memory
from local.containers import CPUS, remove, run_command
from local.errors import StartError
from local.processes import free_port, last_line, running
from serving.settings import Settings

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MB_PER_CPU = 1769
# What AWS gives a function to initialise; https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_LIMIT_S = 10.0
INVOKE_PATH = "/2015-03-31/functions/function/invocations"

IMAGE_COMMAND = ("sh", "/opt/app/deployment/image/entrypoint.sh")

# What the emulator logs when it is given an event, and when the function's process has ended by itself.
EVENT_BEGUN = b"START RequestId: "
RUNTIME_ENDED = b"(rapid) Process runtime-1 exited"

Failure = Literal["exception", "exit", "timeout"]


@dataclass(frozen=True)
class Function:
    """What AWS would be told of a function; memory in MB as AWS counts them (MiB).

    With an `image`, it is run from that, by the container engine, and not from `folder`.
    """

    handler: str
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 3000
    timeout_s: int = 30
    name: str = "yolov7"
    image: str | None = None

    @property
    def cpus(self) -> float:
        """The CPUs that AWS gives for this much memory."""
        return self.memory_mb / MB_PER_CPU


class Gone(Exception):
    """A sandbox had died before the event reached it, so another one may be given the event."""


@dataclass(frozen=True)
class Invocation:
    """What came of one event; `failure` says in which way none of the handler's answers came."""

    payload: bytes
    failure: Failure | None
    cold: bool
    init_ms: float
    duration_ms: float
    peak_memory: int


class Sandbox:
    """One running sandbox. Initialised by its first event, as on AWS; not thread-safe, one event at a time."""

    def __init__(self, function: Function, folder: Path, prefix: tuple[str, ...] = ()) -> None:
        """Start it with /tmp and log in `folder`; `prefix` is a command to run it under. Raises StartError."""
        self.function = function
        folder = folder.resolve()
        self.name = folder.name
        self.log = folder / "log"
        self._tmp = folder / "tmp"
        self._port = free_port()
        self._cold = True
        self._runtime: psutil.Process | None = None
        self._tmp.mkdir(parents=True)
        name = name_of(os.getpid(), self._port)
        env = self._environment()
        self._stack = contextlib.ExitStack()
        command: list[str | Path] = [
            *(_in_container(function, name, list(env)) if function.image else [*prefix, emulator()]),
            "--runtime-interface-emulator-address", f"127.0.0.1:{self._port}",
            "--runtime-api-address", f"127.0.0.1:{free_port()}",
            *(IMAGE_COMMAND if function.image else [sys.executable, "-m", "awslambdaric", function.handler]),
        ]  # fmt: skip
        # The container engine limits memory and CPU itself; its processes are not our children.
        self._cgroup = None if function.image else Cgroup.create(name, function.memory_mb * 2**20)
        if function.image:
            env = {**os.environ, **env}  # For the engine, which passes on what is named.
            self._stack.callback(remove, name)
        self._process = self._stack.enter_context(running(command, env=env, log=self.log, cwd=function.folder))
        if self._cgroup:
            self._cgroup.add(self._process.pid)
        elif not function.image:
            watch_memory(psutil.Process(self._process.pid), function.memory_mb * 2**20)
        self._wait_until_it_listens()

    def _environment(self) -> dict[str, str]:
        """Only what a function is given on AWS: no HOME, and nothing of whoever starts this."""
        function = self.function
        given = {
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_s),
            **function.env,
        }
        if function.image:
            return given
        return {"PATH": os.environ.get("PATH", os.defpath), "TMPDIR": str(self._tmp), **given}

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + 30  # A container engine takes its time.
        while time.monotonic() < deadline and self._process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
            with contextlib.suppress(OSError), contextlib.closing(connection):
                connection.connect()
                return
            time.sleep(0.005)
        message = f"the runtime interface emulator did not start: {last_line(self.log)} (log: {self.log})"
        self.stop()
        raise StartError(message)

    def invoke(self, event: bytes) -> Invocation:
        """Have one event answered. After a failure other than an exception the sandbox must be stopped.

        Raises Gone when the sandbox died before the event reached it.
        """
        logged = self.log.stat().st_size
        if not self.is_alive():
            raise Gone
        cold, self._cold = self._cold, False
        if cold and self._cgroup and self.function.cpus < CPUS:
            threading.Thread(target=self._limit_cpu_after_init, daemon=True).start()
        start = time.perf_counter()
        status, payload = self._post(event)
        duration = (time.perf_counter() - start) * 1000
        failure = _failure(status, payload)
        if failure == "exit" and not self._has_begun(logged):
            raise Gone
        if cold and not self.function.image:
            with contextlib.suppress(psutil.Error):
                self._runtime = next(iter(psutil.Process(self._process.pid).children()), None)
        init = self._init_ms() if cold else 0.0
        return Invocation(payload, failure, cold, init, duration - init, self.peak_memory())

    def _post(self, event: bytes) -> tuple[int, bytes]:
        """The status and the body of the emulator's response."""
        # The emulator itself ends an event at the timeout; this limit is for an emulator that hangs.
        limit = self.function.timeout_s + INIT_LIMIT_S + 5
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=limit)
        try:
            with contextlib.closing(connection):
                connection.request("POST", INVOKE_PATH, event)
                answer = connection.getresponse()
                return answer.status, answer.read()
        except TimeoutError:
            return 200, b"Task timed out"
        except (OSError, http.client.HTTPException):
            return 502, b'{"errorType": "Runtime.ExitError", "errorMessage": "the sandbox died"}'

    def _has_begun(self, logged: int) -> bool:
        """Whether the function was given an event, by what the emulator has logged beyond `logged` bytes."""
        with self.log.open("rb") as log:
            log.seek(logged)
            before, begun, _ = log.read().partition(EVENT_BEGUN)
        return bool(begun) and RUNTIME_ENDED not in before

    def is_alive(self) -> bool:
        """Whether the emulator runs, and the function's process under it, which begins with the first event."""
        if self._process.poll() is not None:
            return False
        if self._runtime:
            return is_running(self._runtime)
        # The processes in a container are not ours to look at.
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 4096))
            return RUNTIME_ENDED not in log.read()

    def peak_memory(self) -> int:
        """The most memory used so far, bytes; 0 where it is not known."""
        return self._cgroup.peak_memory() if self._cgroup else 0

    def stop(self) -> None:
        """End it, with all its processes and its /tmp."""
        self._stack.close()
        end_members(str(self._tmp))
        if self._cgroup:
            self._cgroup.remove()
        shutil.rmtree(self._tmp, ignore_errors=True)

    def _init_ms(self) -> float:
        found = re.search(rb"INIT REPORT\(durationMs: ([\d.]+)", self.log.read_bytes())
        return float(found[1]) if found else 0.0

    def _limit_cpu_after_init(self) -> None:
        """On AWS an init has more CPU than the memory pays for."""
        deadline = time.monotonic() + INIT_LIMIT_S
        while time.monotonic() < deadline and b"INIT RTDONE" not in self.log.read_bytes():
            time.sleep(0.005)
        with contextlib.suppress(OSError):  # It may have been stopped meanwhile.
            if self._cgroup:
                self._cgroup.limit_cpu(self.function.cpus)


def function_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that the function gets: settings, credentials, and what Powertools reads."""
    named = {name.upper() for name in Settings.model_fields} | {"TRACING"}
    return {k: v for k, v in environment.items() if k in named or k.startswith(("AWS_", "POWERTOOLS_"))}


def _in_container(function: Function, name: str, env: list[str]) -> list[str]:
    """The emulator inside the function's image."""
    assert function.image
    return run_command(
        function.image, name=name, env=env, memory_mb=function.memory_mb, cpus=function.cpus,
        mount=(emulator(), "/emulator"), entrypoint="/emulator",
    )  # fmt: skip


def _failure(status: int, payload: bytes) -> Failure | None:
    if payload.startswith(b"Task timed out"):
        return "timeout"
    if status != 200:
        return "exit"
    with contextlib.suppress(ValueError):
        answer = json.loads(payload)
        if isinstance(answer, dict) and {"errorType", "errorMessage", "stackTrace"} <= set(answer):
            return "exception"
    return None
