"""Run the service and the local Lambda on this machine, as processes or as containers of the image."""

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
TASK_MEMORY_MB, TASK_CPUS = 14_336, 2.0  # The size of a task on EC2 in deployment/terraform/ecs.
BUCKETS = {"INPUT_BUCKET": INPUT_BUCKET, "OUTPUT_BUCKET": OUTPUT_BUCKET}


@dataclass(frozen=True)
class LocalService:
    """A running service or local Lambda, with its S3 server and its log."""

    url: str
    s3: LocalS3
    process_id: int
    log: Path


@contextlib.contextmanager
def local_service(
    s3: LocalS3,
    *,
    port: int,
    log: Path,
    env: dict[str, str] | None = None,
    image: str | None = None,
    ready_s: float = 120,
) -> Iterator[LocalService]:
    """Run the service with a local S3 server inside the block; `env` adds to its environment.

    It listens on the address LISTEN of its environment, 127.0.0.1 by default. With an image, it runs in a container
    with the default memory and CPU of an ECS task. `ready_s` is the time until it must be ready, seconds.
    """
    own = s3.env | BUCKETS | (env or {})
    environment = os.environ | {"BENTOML_DO_NOT_TRACK": "True"} | own
    # The image listens on all interfaces, which an unauthenticated service on this machine must do only on request.
    listen = environment.get("LISTEN") or "127.0.0.1"
    command = [sys.executable, "-m", "service", "--host", listen, "--port", str(port)]
    container = f"yolov7-local-service-{port}"
    if image:
        remove(container)  # One that was left by a killed process.
        environment |= {"PORT": str(port), "LISTEN": listen}
        passed = [*function_environment(own), "PORT", "LISTEN"]
        command = run_command(image, name=container, env=passed, memory_mb=TASK_MEMORY_MB, cpus=TASK_CPUS)
    url = f"http://{'127.0.0.1' if listen == '0.0.0.0' else listen}:{port}"
    with running(command, env=environment, log=log, cwd=ROOT) as process:
        try:
            wait_until_ready(process, f"{url}/readyz", name="the service", log=log, timeout_s=ready_s)
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
    """Run the local Lambda behind its gateway inside the block; the sandboxes log into a folder next to `log`.

    With an image, the sandboxes are containers of it. `options` are options of the gateway's command line. Raises
    StoreError if the store has no such model.
    """
    environment = os.environ | s3.env | BUCKETS | (env or {})
    if image:
        environment.pop("MODEL_FOLDER", None)  # The image contains the model.
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
    """POST a JSON body; returns status and body of the response, also of an error."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read()
