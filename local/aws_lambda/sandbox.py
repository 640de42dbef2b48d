"""A local sandbox of AWS Lambda: the real runtime under AWS's own runtime interface emulator, one request at a time."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import platform
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

# See requirements/emulator.txt.
EMULATOR_HOME = Path(sys.prefix) / "emulator"

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


@dataclass(frozen=True)
class Invocation:
    """What came of one event; `failure` says in which way none of the handler's answers came."""

    payload: bytes
    failure: Failure | None
    cold: bool
    init_ms: float
    duration_ms: float
    peak_memory: int


def cpu_scaling(function: Function) -> tuple[bool, str]:
    """Whether a function's requests get the CPUs that they would get on AWS, and why, in words."""
    if function.cpus >= CPUS:
        return False, f"CPU not scaled: AWS gives {function.cpus:.2f} CPUs, this machine has {CPUS}"
    if function.image:
        return True, f"CPU limited to {function.cpus:.2f} by the container engine, init included"
    probe = Cgroup.create(f"yolov7-local-probe-{os.getpid()}", function.memory_mb * 2**20)
    if probe is None:
        return False, "CPU not scaled and memory only watched: no control groups can be used here"
    probe.remove()
    return True, f"CPU scaled to {function.cpus:.2f} after the init, as AWS does for {function.memory_mb} MB"


def emulator() -> Path:
    """AWS's runtime interface emulator, from the wheel of aws-sam-cli; raises StartError."""
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), "of another machine")
    binary = EMULATOR_HOME / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{machine}"
    if not binary.is_file():
        raise StartError(f"{binary} is missing: make lambda installs it, on Linux")
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary


class Sandbox:
    """One running sandbox. Initialised by its first event, as on AWS; not thread-safe, one event at a time."""

    def __init__(self, function: Function, folder: Path, prefix: tuple[str, ...] = ()) -> None:
        """Start it with /tmp and log in `folder`; `prefix` is a command to run it under. Raises StartError."""
        self.function = function
        self.log = folder / "log"
        self._folder = folder
        self._port = free_port()
        self._cold = True
        (folder / "tmp").mkdir(parents=True)
        name = f"yolov7-local-{os.getpid()}-{self._port}"
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
            self._watch_memory()
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
        return {"PATH": os.environ.get("PATH", os.defpath), "TMPDIR": str(self._folder / "tmp"), **given}

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
        """Have one event answered. After a failure other than an exception the sandbox must be stopped."""
        cold, self._cold = self._cold, False
        if cold and self._cgroup and self.function.cpus < CPUS:
            threading.Thread(target=self._limit_cpu_after_init, daemon=True).start()
        start = time.perf_counter()
        # The emulator itself ends an event at the timeout; this limit is for an emulator that hangs.
        limit = self.function.timeout_s + INIT_LIMIT_S + 5
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=limit)
        try:
            with contextlib.closing(connection):
                connection.request("POST", INVOKE_PATH, event)
                answer = connection.getresponse()
                status, payload = answer.status, answer.read()
        except TimeoutError:
            status, payload = 200, b"Task timed out"
        except (OSError, http.client.HTTPException):
            status, payload = 502, b'{"errorType": "Runtime.ExitError", "errorMessage": "the sandbox died"}'
        duration = (time.perf_counter() - start) * 1000
        init = self._init_ms() if cold else 0.0
        return Invocation(payload, _failure(status, payload), cold, init, duration - init, self.peak_memory())

    def peak_memory(self) -> int:
        """The most memory used so far, bytes; 0 where it is not known."""
        return self._cgroup.peak_memory() if self._cgroup else 0

    def stop(self) -> None:
        """End it, with all its processes and its /tmp."""
        self._stack.close()
        if self._cgroup:
            self._cgroup.remove()
        shutil.rmtree(self._folder / "tmp", ignore_errors=True)

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

    def _watch_memory(self) -> None:
        """Without control groups: poll the memory, and kill the sandbox when it uses too much."""

        def watch() -> None:
            root = psutil.Process(self._process.pid)
            while self._process.poll() is None:
                with contextlib.suppress(psutil.Error):
                    for process in root.children(recursive=True):
                        if process.memory_info().rss > self.function.memory_mb * 2**20:
                            process.kill()
                time.sleep(0.02)

        threading.Thread(target=watch, daemon=True).start()


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
