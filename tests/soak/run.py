"""Runs the steps of the plan against a real service and a real S3."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from detection.card import read_card
from local.doors import BUCKETS, INPUT_BUCKET, OUTPUT_BUCKET, LocalService, local_service
from local.processes import free_port
from local.s3 import LocalS3, local_s3
from serving.settings import Settings
from tests.conftest import BUNDLED
from tests.soak.clients import Clients
from tests.soak.plan import ROUND, Step, rounds
from tests.soak.proxy import Proxy
from tests.soak.requests import Requests
from tests.soak.results import Results
from tests.soak.tally import Tally
from tests.soak.watch import Usage, Watch

# Short times, so that a short test meets them too.
SETTINGS = {"MAX_QUEUE": "8", "REQUEST_TIMEOUT_S": "5", "S3_READ_TIMEOUT_S": "2", "S3_ATTEMPTS": "2"}
SLOW_S3_S = 0.4
MOST_RSS_GROWTH = 0.10
# A connection or a thread may be on its way when they are counted.
THREADS_SLACK, FILES_SLACK = 2, 3
# The S3 client keeps as many connections as were needed at a time since S3 was killed last, which is chance, but not
# more than its pool has places.
MOST_S3_CONNECTIONS = int(SETTINGS["MAX_QUEUE"])
QUIET_S = 1.0


class S3Server:
    """A SeaweedFS that can be killed and started again on the same port, with the same data."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self.server = self.start()

    def start(self) -> LocalS3:
        """Start it, and wait until it answers."""
        return self._stack.enter_context(local_s3(self._folder, INPUT_BUCKET, OUTPUT_BUCKET, port=self.port))

    def kill(self) -> None:
        """Kill it at once."""
        for child in psutil.Process().children():
            if f"-dir={self._folder}" in child.cmdline():
                child.send_signal(signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """Clean up after it."""
        self._stack.close()


class Service:
    """The service, which can be killed and is then started again on the same port, as a platform does."""

    def __init__(self, s3: LocalS3, log: Path, env: dict[str, str]) -> None:
        self.port = free_port()
        self._s3, self._log, self._env = s3, log, env
        self._stack = contextlib.ExitStack()
        self._starts = 0
        self.now = self._start()

    def _start(self) -> LocalService:
        self._starts += 1
        log = self._log.with_stem(f"{self._log.stem}-{self._starts}")
        return self._stack.enter_context(local_service(self._s3, port=self.port, log=log, env=self._env))

    def kill(self) -> None:
        """Kill it at once, and start it again."""
        psutil.Process(self.now.process_id).kill()
        self.stop()
        self.now = self._start()

    def stop(self) -> None:
        """Stop it."""
        self._stack.close()


def soak(seconds: float, seed: int, folder: Path, log: Path, say: Callable[[str], None]) -> Tally:
    """Run the whole test; returns what was counted. `say` is given a line per step."""
    tally = Tally()
    tally.begin("start")
    s3 = S3Server(folder / "s3")
    proxy = Proxy(s3.port)
    env = {"MODEL_FOLDER": str(BUNDLED), "BENTOML_HOME": str(folder / "home"), **SETTINGS}
    with contextlib.ExitStack() as stack:
        stack.callback(s3.stop)
        stack.enter_context(proxy.running())
        through_proxy = LocalS3(f"http://127.0.0.1:{proxy.port}")
        service = Service(through_proxy, log, env)
        stack.callback(service.stop)
        settings = Settings(input_bucket=BUCKETS["INPUT_BUCKET"], output_bucket=BUCKETS["OUTPUT_BUCKET"])
        requests = Requests(s3.server.client(), settings, read_card(BUNDLED))
        results = Results(s3.server.client(), tally)
        stack.callback(results.finish)
        watch = Watch(lambda: service.now.process_id, proxy.port, tally)
        stack.callback(watch.stop)
        most = max(clients for _, clients, _, _ in ROUND)
        clients = Clients(most, service.now.url, requests, results, tally, seed)
        stack.callback(clients.stop)
        compared = []
        for name, steps in rounds(seconds):
            for step in steps:
                _run(step, name, s3=s3, proxy=proxy, clients=clients, service=service, tally=tally, say=say)
            clients.drain()
            time.sleep(QUIET_S)
            quiet = watch.usage()
            open_now = f"{quiet.files} files, {quiet.s3_connections} connections to S3"
            say(f"{name}, quiet: {quiet.rss_mb:.0f} MB, {quiet.threads} threads, {open_now}")
            if name.startswith("round"):
                compared.append(quiet)
    for growth in growths(compared[0], compared[-1]):
        tally.finding(growth)
    return tally


def _run(
    step: Step, round_name: str, *, s3: S3Server, proxy: Proxy, clients: Clients, service: Service, tally: Tally,
    say: Callable[[str], None],
) -> None:  # fmt: skip
    """Run one step, and undo its fault."""
    phase = tally.begin(f"{round_name}: {step.name}")
    clients.active, clients.pause_s = step.clients, step.pause_s
    time.sleep(step.seconds / 4)  # A fault meets requests in work.
    with _fault(step, s3, proxy, clients, service):
        time.sleep(step.seconds * 3 / 4)
    say(f"{phase.name}: {phase.outcomes.total()} responses, {phase.rss_mb:.0f} MB")


@contextlib.contextmanager
def _fault(step: Step, s3: S3Server, proxy: Proxy, clients: Clients, service: Service) -> Iterator[None]:
    if step.fault == "slow S3":
        proxy.delay_s = SLOW_S3_S
    elif step.fault == "dripping S3":
        proxy.drip = True
    elif step.fault == "killed S3":
        clients.s3_is_down = True
        s3.kill()
    elif step.fault == "killed service":
        clients.service_killed_at = float("inf")
        service.kill()
        clients.service_killed_at = time.monotonic()
    yield
    proxy.delay_s, proxy.drip = 0.0, False
    if step.fault == "killed S3":
        s3.start()
        clients.s3_is_down, clients.s3_started_at = False, time.monotonic()


def growths(first: Usage, last: Usage) -> list[str]:
    """What has grown between the ends of two rounds, when no request was in work."""
    found = []
    if last.rss_mb > first.rss_mb * (1 + MOST_RSS_GROWTH):
        found.append(f"the memory grew from {first.rss_mb:.0f} to {last.rss_mb:.0f} MB")
    if last.threads > first.threads + THREADS_SLACK:
        found.append(f"the threads grew from {first.threads} to {last.threads}")
    if last.files > first.files + FILES_SLACK:
        found.append(f"the open files grew from {first.files} to {last.files}")
    if last.s3_connections > MOST_S3_CONNECTIONS:
        found.append(f"there are {last.s3_connections} connections to S3, more than {MOST_S3_CONNECTIONS}")
    return found
