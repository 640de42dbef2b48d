"""What keeps a worker from starting: one line and status 1."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.checkout import ROOT
from local.processes import free_port
from local.s3 import REGION
from tests.conftest import BUNDLED
from tests.serving.worker.sqs import Sqs, TestQueue, moto_sqs

pytestmark = pytest.mark.slow

SECRET = "wJalrXUtnFEMI-K7MDENG"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION}
SETTINGS = {"INPUT_BUCKET": "pictures", "OUTPUT_BUCKET": "results", "MODEL_FOLDER": str(BUNDLED)}


@pytest.fixture(scope="module")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqs]:
    with moto_sqs(tmp_path_factory.mktemp("moto") / "log") as server:
        yield server


def refused(*options: str, **env: str) -> str:
    """The one line that a worker says when it cannot start."""
    command = [sys.executable, "-m", "serving.worker", f"--port={free_port()}", *options]
    home = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    done = subprocess.run(
        command, env=os.environ | home | SETTINGS | env, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1, done.stderr
    assert SECRET not in done.stderr + done.stdout
    [line] = done.stderr.splitlines()
    return line


def test_a_queue_that_does_not_exist(sqs: Sqs) -> None:
    url = f"{sqs.url}/123456789012/gone"
    assert refused(**KEYS, QUEUE_URL=url) == (f"error: the queue {url} does not exist: create it or correct QUEUE_URL")


@pytest.mark.parametrize("change", [{"AWS_ACCESS_KEY_ID": "AKIAWRONG"}, {"AWS_SECRET_ACCESS_KEY": "wrong"}])
def test_wrong_credentials(change: dict[str, str], tmp_path: Path) -> None:
    # After so many requests moto asks for credentials.
    with moto_sqs(tmp_path / "log", INITIAL_NO_AUTH_ACTION_COUNT="5") as server:
        iam, queue = server.client("iam"), TestQueue(server, "closed")  # Three requests.
        iam.create_user(UserName="worker")
        key = iam.create_access_key(UserName="worker")["AccessKey"]
        keys = KEYS | {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        # Moto gives no other code than the status.
        said = f"error: SQS refused to read the attributes of {queue.url} (403): check the credentials"
        assert refused(**(keys | change), QUEUE_URL=queue.url).startswith(said)
        # The user's own keys are known, but allow nothing.
        assert refused(**keys, QUEUE_URL=queue.url).startswith(said)


def test_no_credentials_and_no_region(sqs: Sqs) -> None:
    url = TestQueue(sqs, "any").url
    assert refused(QUEUE_URL=url, AWS_REGION=REGION).startswith(
        f"error: no AWS credentials to read the attributes of {url}"
    )
    assert "You must specify a region" in refused(QUEUE_URL=url)


def test_an_address_where_nothing_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}/123456789012/queue"
    assert re.match(
        r"error: SQS did not answer to read .* \(EndpointConnectionError\): check QUEUE_URL and the network",
        refused(**KEYS, QUEUE_URL=url),
    )


@pytest.mark.parametrize(
    "body", [b"<html>not SQS</html>", b"{}", json.dumps({"Attributes": {"VisibilityTimeout": "x"}}).encode()]
)
def test_a_server_that_is_not_sqs(body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/123456789012/queue"
        answering = subprocess.Popen(
            [sys.executable, "-c", ANSWER, str(server.fileno()), body.decode()], pass_fds=[server.fileno()]
        )
        try:
            line = refused(**KEYS, QUEUE_URL=url)
        finally:
            answering.kill()
            answering.wait()
    assert line.startswith("error: ")
    assert line.endswith(("check QUEUE_URL", "check QUEUE_URL and the network"))


# An HTTP server on an open socket that gives the same response to every request.
ANSWER = """
import socket, sys
server = socket.socket(fileno=int(sys.argv[1]))
body = sys.argv[2].encode()
while True:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        head = b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
        connection.sendall(head + body)
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"QUEUE_URL": ""}, "error: QUEUE_URL is not set: "),
        ({"QUEUE_URL": "my-queue"}, "error: QUEUE_URL: .* must be the URL of an SQS queue"),
        ({"INPUT_BUCKET": ""}, "error: INPUT_BUCKET"),
        ({"MODEL_FOLDER": "", "MODEL": "no-such-model"}, "error: MODEL no-such-model is not in"),
        ({"MODEL_FOLDER": "/no/such/folder"}, "error: "),
    ],
)
def test_a_setting_that_is_missing_or_wrong(change: dict[str, str], message: str, sqs: Sqs) -> None:
    assert re.match(message, refused(**{**KEYS, "QUEUE_URL": TestQueue(sqs, "settings").url, **change}))


@pytest.mark.parametrize("name", ["port", "METRICS_PORT"])
def test_a_port_that_is_taken(name: str, sqs: Sqs) -> None:
    with socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = ["--port", port, "--host", "0.0.0.0"] if name == "port" else []
        env = {"METRICS_PORT": port} if name == "METRICS_PORT" else {}
        line = refused(*options, **KEYS, **env, QUEUE_URL=TestQueue(sqs, "ports").url)
    assert line == f"error: {name} {port} cannot be used (Address already in use): choose another port"
