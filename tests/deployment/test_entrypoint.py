"""The image's entrypoint, run by this machine's shell."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from local.checkout import ROOT
from local.doors import BUCKETS
from local.processes import free_port, running, wait_until_ready
from local.s3 import LocalS3
from tests.conftest import BUNDLED, listening, send
from tests.serving.worker.sqs import TestQueue, moto_sqs, worker_env

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("listen", "address"), [("", "0.0.0.0"), ("127.0.0.1", "127.0.0.1")])
def test_it_listens_where_it_is_asked_to_and_on_no_other_port(
    listen: str, address: str, s3: LocalS3, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    env = dict(os.environ) | s3.env | BUCKETS | {"MODEL_FOLDER": str(BUNDLED)}
    env |= {"PORT": str(port), "LISTEN": listen, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command: list[str | Path] = ["sh", ROOT / "deployment" / "image" / "entrypoint.sh"]
    with running(command, env=env, log=log, cwd=ROOT) as process:
        wait_until_ready(process, f"http://127.0.0.1:{port}/readyz", name="the entrypoint", log=log, timeout_s=60)
        assert listening(process.pid) == {f"{address}:{port}"}


def test_with_a_queue_it_is_the_worker(s3: LocalS3, tmp_path: Path) -> None:
    with moto_sqs(tmp_path / "moto") as sqs:
        queue, port, log = TestQueue(sqs, "entrypoint"), free_port(), tmp_path / "log"
        env = worker_env(s3, queue.url) | {"PORT": str(port), "LISTEN": "127.0.0.1"}
        env |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        command: list[str | Path] = ["sh", ROOT / "deployment" / "image" / "entrypoint.sh"]
        with running(command, env=env, log=log, cwd=ROOT) as process:
            wait_until_ready(process, f"http://127.0.0.1:{port}/readyz", name="the worker", log=log, timeout_s=60)
            assert b"yolov7_messages_in_progress" in send(f"http://127.0.0.1:{port}/metrics", method="GET").body
            process.terminate()
            assert process.wait(30) == 0
