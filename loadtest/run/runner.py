"""Run one profile against one target by JMeter, into a new folder."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.errors import JMeterError, LoadTestError, TargetError
from loadtest.platforms.settings import Settings
from loadtest.profiles import Profile
from loadtest.run.jmeter import PLAN, PROPERTIES, JMeter, find_jmeter
from loadtest.run.progress import Display, Progress, check_first
from loadtest.run.remote import RETURN, check_no_key, check_servers, check_splits, shares
from loadtest.runs import DASHBOARD, REQUESTS, SAMPLES, Record, Target, new_folder
from local.checkout import commit, machine
from local.processes import free_port, last_line, running
from scenes import pictures

STOP_TIMEOUT_S = 20.0
# All threads must have started before the first request of an open profile.
LEAD_MS, LEAD_MS_PER_THREAD = 1000, 3


class Interrupted(KeyboardInterrupt):
    """The user stopped a run at `at_ms`; requests that JMeter aborted then are not failures of the target."""

    def __init__(self, at_ms: int) -> None:
        super().__init__()
        self.at_ms = at_ms


@dataclass(frozen=True)
class Job:
    """One run to do: its profile, its target and the platform.

    `key` is a header and its value; it is sent, but never written to a file that stays. `servers` are the JMeter
    servers that send the load instead of this machine, and `own` are further properties of this machine's JMeter.
    """

    profile: Profile
    target: Target
    platform: str
    settings: Settings = field(default_factory=Settings)
    image: str = ""
    command: str = ""
    key: tuple[str, str] | None = None
    servers: tuple[str, ...] = ()
    own: Mapping[str, str] = field(default_factory=dict)


def run(job: Job, results: Path) -> Path:
    """Do a run and return its folder; Ctrl-C stops it and keeps its samples.

    Raises JMeterError if JMeter cannot be run, TargetError if the target does not answer like /predict, and
    KeyboardInterrupt, after everything is written, if it was interrupted.
    """
    jmeter = find_jmeter()
    sys.stderr.write(f"JMeter {jmeter.versions['jmeter']} in {jmeter.home}, Java {jmeter.versions['java']}\n")
    with recorded(job, jmeter, results, job.profile.name) as folder:
        _run_jmeter(jmeter, job, folder)
    return folder


@contextlib.contextmanager
def recorded(job: Job, jmeter: JMeter, results: Path, name: str) -> Iterator[Path]:
    """The folder of a new run, with its requests; its record is completed when the block is left.

    Raises TargetError, before anything is written, if the target cannot be reached. With servers, only they may be able
    to reach it: then it raises JMeterError if a server cannot be reached or there is a key, and ProfileError if the
    load cannot be split.
    """
    if job.servers:
        check_no_key(job.key)
        check_splits(job.profile, job.servers)
        check_servers(job.servers)
    else:
        check_answers(job.target)
    folder = new_folder(results.absolute(), job.platform, name)
    record = Record(
        profile=job.profile, target=job.target, platform=job.platform,
        settings=job.settings, image=job.image, commit=commit(), machine=machine(), **jmeter.versions,
        command=job.command, started=now_ms(), servers=job.servers,
    )  # fmt: skip
    record.write(folder)
    write_requests(job.profile, folder / REQUESTS)
    try:
        yield folder
        record.status = "finished"
    except KeyboardInterrupt as exc:
        record.status = "interrupted"
        record.stopped = exc.at_ms if isinstance(exc, Interrupted) else now_ms()
        raise
    except LoadTestError as exc:
        record.status, record.problem = "failed", str(exc)
        raise
    finally:
        record.ended = now_ms()
        record.write(folder)


def now_ms() -> int:
    """This machine's clock, milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def check_answers(target: Target) -> None:
    """Raise TargetError if the target cannot be reached; no request is sent, so no instance gets warm."""
    try:
        socket.create_connection((target.host, target.port), timeout=10).close()
    except OSError as exc:
        reason = exc.strerror or str(exc) or "no answer within 10 s"
        raise TargetError(f"{target.url} does not answer: {reason} ({target.host}, port {target.port})") from None


def write_requests(profile: Profile, file: Path) -> None:
    """Write the requests in order: key of the picture, label of the sample, and time for an open profile."""
    kinds = [pictures.keys(kind) for kind in profile.pictures]
    names = [(keys[turn % len(keys)], label) for turn in range(max(map(len, kinds)))
             for keys, label in zip(kinds, profile.pictures, strict=True)]  # fmt: skip
    arrivals = profile.arrivals_ms()
    sent = [(*names[number % len(names)], str(at)) for number, at in enumerate(arrivals)]
    rows = sent or [(*name, "") for name in names]
    with file.open("w", newline="") as output:
        csv.writer(output).writerows([("filename", "label", "at_ms"), *rows])


def _run_jmeter(jmeter: JMeter, job: Job, folder: Path) -> None:
    port = free_port()  # JMeter listens there for the command to stop.
    console = folder / "console.log"
    progress = Progress(folder / SAMPLES)
    display = Display(job.profile, f"{job.profile.name} at {job.target.url}")
    stop_at = [f"-Jjmeterengine.nongui.{name}={port}" for name in ("port", "maxport")]
    shared = PROPERTIES.read_text() if job.servers else ""  # JMeter sends the servers a single file.
    with private_properties(plan_properties(job, folder), job.key, shared) as properties:
        command = jmeter.command(
            "-t", PLAN, "-q", PROPERTIES, *_where(job, properties), *stop_at, "-l", folder / SAMPLES,
            "-j", folder / "jmeter.log", "-e", "-o", folder / DASHBOARD,
        )  # fmt: skip
        with running(command, env=os.environ, log=console, cwd=folder) as process:
            try:
                while process.poll() is None:
                    time.sleep(0.2)
                    progress.read()
                    check_first(progress, job.target.url)
                    display.show(progress)
            except KeyboardInterrupt:
                at_ms = now_ms()
                sys.stderr.write("\nstopping; the samples are kept\n")
                _stop(process, port)
                raise Interrupted(at_ms) from None
    progress.read()
    display.show(progress, last=True)
    check_first(progress, job.target.url)
    if job.servers and job.profile.total and progress.requests < job.profile.total:
        sys.stderr.write(f"warning: {progress.requests} of {job.profile.total} samples came from the servers\n")
    if not progress.requests:
        if job.servers:
            raise JMeterError("no sample came from the JMeter servers: see the log of jmeter-server on each of them")
        raise JMeterError(f"JMeter sent no request: {_reason(folder, console)}")
    if process.returncode:
        shutil.rmtree(folder / DASHBOARD, ignore_errors=True)
        sys.stderr.write(f"warning: JMeter wrote no dashboard: {last_line(console)}\n")


def _where(job: Job, properties: Path) -> list[str | Path]:
    """The options of JMeter that give the plan its properties, here or on the servers, and its own."""
    own = [f"{'-D' if name.startswith(('java.', 'javax.')) else '-J'}{name}={value}" for name, value in job.own.items()]
    if not job.servers:
        return ["-q", properties, *own]
    back = [f"-J{name}={value}" for name, value in RETURN.items()]
    return ["-G", properties, "-R", ",".join(job.servers), *back, *own]


def _reason(folder: Path, console: Path) -> str:
    log = folder / "jmeter.log"
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    errors = [line for line in lines if " ERROR " in line]
    return (errors or [last_line(console)])[-1][:300] + f" (log: {log})"


def plan_properties(job: Job, folder: Path) -> dict[str, str | int]:
    """The properties of the plan for a job whose requests are in a run's folder, without the key."""
    requests, lead = str(folder / REQUESTS), LEAD_MS + job.profile.threads * LEAD_MS_PER_THREAD
    given = {**job.profile.properties(), **job.target.model_dump(), "pictures": requests, "lead": lead}
    return given | (shares(job.profile, folder / REQUESTS, job.servers) if job.servers else {})


@contextlib.contextmanager
def private_properties(given: Mapping[str, str | int], key: tuple[str, str] | None, first: str = "") -> Iterator[Path]:
    """A temporary file of JMeter's properties and the key, after the lines `first`, that only its owner can read."""
    sent = {"api_key_header": key[0], "api_key": key[1]} if key else {}
    descriptor, path = tempfile.mkstemp(suffix=".properties")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(first)
            for name, value in {**given, **sent}.items():
                file.write(f"{name.replace(':', chr(92) + ':')}={_escaped(str(value))}\n")
        yield Path(path)
    finally:
        Path(path).unlink(missing_ok=True)


def _escaped(value: str) -> str:
    """A value escaped for Java's properties files, which share JSON's escapes."""
    return json.dumps(value)[1:-1]


def _stop(process: subprocess.Popen[bytes], port: int) -> None:
    """Tell JMeter to end its test and write its dashboard; a second Ctrl-C, or STOP_TIMEOUT_S, ends it at once."""
    with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"StopTestNow", ("127.0.0.1", port))
        process.wait(STOP_TIMEOUT_S)
