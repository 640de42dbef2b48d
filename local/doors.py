"""Both doors as processes on this machine, or as containers of the image."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.aws_lambda.sandbox import function_environment
from local.checkout import ROOT
from local.containers import remove, run_command
from local.processes import running, wait_until_ready
from local.s3 import LocalS3
from model_store import store
from serving.settings import model_asked_for

INPUT_BUCKET = "yolov7-pictures"
OUTPUT_BUCKET = "yolov7-results"
TASK_MEMORY_MB, TASK_CPUS = 14_336, 3.5  # What deployment/terraform/ecs gives a task on EC2.
BUCKETS = {"INPUT_BUCKET": INPUT_BUCKET, "OUTPUT_BUCKET": OUTPUT_BUCKET}


@dataclass(frozen=True)
class LocalService:
    """A running door, `bentoml serve` or the local Lambda, and what it reads from."""

    url: str
    s3: LocalS3
    process_id: int
    log: Path


@contextlib.contextmanager
def local_service(
    s3: LocalS3, *, port: int, log: Path, env: dict[str, str] | None = None, image: str | None = None
) -> Iterator[LocalService]:
    """Run the service against a local S3 server until the block is left; `env` adds to its environment.

    It listens on the address LISTEN of its environment, 127.0.0.1 by default. With an image, it runs in a container,
    of as much memory and CPU as an ECS task gets by default.
    """
    own = s3.env | BUCKETS | (env or {})
    environment = os.environ | {"BENTOML_DO_NOT_TRACK": "True"} | own
    # bentoml serve and the image listen on all interfaces: an unauthenticated service must not, unless it is asked to.
    listen = environment.get("LISTEN") or "127.0.0.1"
    command = [sys.executable, "-m", "serving.http.launch", "--host", listen, "--port", str(port)]
    container = f"yolov7-local-service-{port}"
    if image:
        remove(container)  # One that was left by a killed process.
        environment |= {"PORT": str(port), "LISTEN": listen}
        passed = [*function_environment(own), "PORT", "LISTEN"]
        command = run_command(image, name=container, env=passed, memory_mb=TASK_MEMORY_MB, cpus=TASK_CPUS)
    url = f"http://{'127.0.0.1' if listen == '0.0.0.0' else listen}:{port}"
    with running(command, env=environment, log=log, cwd=ROOT) as process:
        try:
            wait_until_ready(process, f"{url}/readyz", name="bentoml serve", log=log, timeout_s=120)
            yield LocalService(url, s3, process.pid, log)
        finally:
            if image:
                remove(container)


@contextlib.contextmanager
def local_lambda(
    s3: LocalS3,
    *,
    port: int,
    log: Path,
    env: dict[str, str] | None = None,
    image: str | None = None,
    options: Sequence[str] = (),
) -> Iterator[LocalService]:
    """Run the local Lambda behind its gateway until the block is left; sandboxes log beside `log`.

    With an image, the sandboxes are containers of it. `options` are the gateway's. Raises StoreError when the model is
    missing, as the store is asked here.
    """
    environment = os.environ | s3.env | BUCKETS | (env or {})
    if image:
        environment.pop("MODEL_FOLDER", None)  # It is in the image.
        options = [*options, f"--image={image}"]
    elif not environment.get("MODEL_FOLDER"):
        environment["MODEL_FOLDER"] = str(store.find(model_asked_for(environment)))
    folder = log.parent / f"{log.stem}-sandboxes"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "local.aws_lambda", "--port", str(port), "--folder", str(folder), *options]
    url = f"http://127.0.0.1:{port}"
    with running(command, env=environment, log=log, cwd=ROOT) as process:
        wait_until_ready(process, f"{url}/readyz", name="the local Lambda", log=log, timeout_s=60)
        yield LocalService(url, s3, process.pid, log)


def post(url: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """POST a JSON body; the status and the body of the answer, whatever the status."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read()
