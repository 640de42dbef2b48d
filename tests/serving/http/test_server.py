"""The server of the image, as a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import bentoml
import psutil
import pytest

from local.checkout import ROOT
from local.processes import free_port, running, wait_until_ready
from serving.errors import SettingsError
from serving.http.background import FewClientsProtocol, listen, serve_metrics
from serving.http.metrics import ServiceMetrics
from serving.instance import Instance
from serving.respond import Responder
from tests.conftest import BUNDLED, send, wait_for
from tests.fakes import RecordingObserver

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "service"]
SETTINGS = {
    "INPUT_BUCKET": "pictures",
    "OUTPUT_BUCKET": "results",
    "MODEL_FOLDER": str(BUNDLED),
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
    "AWS_REGION": "us-east-1",
}


class SlowS3:
    """An S3 that takes two seconds for each response, which holds no picture."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=(self._server.accept()[0],), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if connection.recv(65_536).startswith(b"GET"):
                self.asked.set()
            time.sleep(2)
            connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nConnection: close\r\nContent-Length: 4\r\n\r\ntext')

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def s3() -> Iterator[SlowS3]:
    server = SlowS3()
    yield server
    server.close()


def test_after_sigterm_requests_in_work_are_answered_and_connections_are_refused(s3: SlowS3, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    env = os.environ | SETTINGS | {"AWS_ENDPOINT_URL_S3": s3.url}
    with (
        running([*COMMAND, f"--port={port}"], env=env, log=log, cwd=ROOT) as process,
        ThreadPoolExecutor(1) as pool,
    ):
        wait_until_ready(process, f"http://127.0.0.1:{port}/readyz", name="the server", log=log, timeout_s=60)
        in_work = pool.submit(send, f"http://127.0.0.1:{port}/predict", {"filename": "a.jpg"})
        assert s3.asked.wait(10)
        process.send_signal(signal.SIGTERM)

        def refused() -> bool:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except ConnectionRefusedError:
                return True
            return False

        assert wait_for(refused)
        assert not in_work.done()
        assert in_work.result().json["error"]["code"] == "not_an_image"
        assert wait_for(lambda: process.poll() is not None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"INPUT_BUCKET": ""}, "error: INPUT_BUCKET"),
        ({"MODEL_FOLDER": "", "MODEL": "no-such-model"}, "error: "),
        ({"API_KEYS": "x"}, "error: API_KEYS"),
    ],
)
def test_what_is_missing_or_wrong_is_one_line(change: dict[str, str], message: str) -> None:
    done = subprocess.run([*COMMAND, "--port=1"], env=os.environ | SETTINGS | change, cwd=ROOT, capture_output=True)
    assert done.returncode == 1
    [line] = done.stderr.decode().splitlines()
    assert line.startswith(message)


def test_a_metrics_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        env = os.environ | SETTINGS | {"METRICS_PORT": port}
        done = subprocess.run([*COMMAND, "--port=1"], env=env, cwd=ROOT, capture_output=True)
    assert done.returncode == 1
    [line] = done.stderr.decode().splitlines()
    assert line.startswith(f"error: METRICS_PORT {port} cannot be used (Address already in use): ")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Of BentoML, when a service is made.
def test_bentomls_timeout_is_removed_because_its_timers_keep_the_memory_of_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """4.7 KB of each request were kept for as long as the timeout, whatever the response."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    import service

    def layers(app: Any) -> set[str]:
        return {one.cls.__name__ for one in app.user_middleware}

    made: Any = service.YOLOv7
    assert layers(bentoml.Service.to_asgi(made)) - layers(made.to_asgi()._app._app) == {"TimeoutMiddleware"}


def test_the_metrics_have_a_port_of_their_own_that_answers_nothing_else_and_holds_few_connections() -> None:
    observer, port = RecordingObserver(), free_port()
    serve_metrics(port, ServiceMetrics(), lambda: Responder(Instance(), observer))
    url = f"http://127.0.0.1:{port}"
    assert b"yolov7_requests_in_progress 0.0" in send(f"{url}/metrics", method="GET").body
    other = send(f"{url}/predict", {"filename": "a.jpg"})
    assert (other.status, other.json["error"]["code"]) == (404, "not_found")
    with pytest.raises(SettingsError, match=f"METRICS_PORT {port} cannot be used"):
        listen(port)
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert send(f"{url}/metrics", method="GET").status == 200
        held = [one for one in psutil.Process().net_connections("tcp") if one.laddr and one.laddr[1] == port]
        # One listens; the test's own ends of the connections have other ports.
        assert sum(one.status == psutil.CONN_ESTABLISHED for one in held) <= FewClientsProtocol.limit
