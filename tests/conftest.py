"""Fixtures that tests share: a real S3 server, the bundled model in a separate store, real service and Lambda."""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from detection.images import decode, judge
from detection.types import Picture
from local.checkout import ROOT
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, LocalService, local_lambda, local_service
from local.processes import free_port
from local.s3 import LocalS3, local_s3
from scenes.render import HELD_OUT_SEEDS, Scene, render_scene
from serving.settings import Settings

# If this names an image, the contract suite runs both doors as containers of it.
IMAGE = os.environ.get("YOLOV7_IMAGE")
# By how much this multiplies the timeouts of the doors and of the client, e.g. under an emulated processor.
SLOWER = int(os.environ.get("YOLOV7_SLOWER", "1"))
BUNDLED = ROOT / "model_store" / "bundled"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses a real server as slow, and begin with the files that have slow tests.

    Files are given to the workers in this order, so that no worker begins a long file while the others have ended.
    """
    for item in items:
        if {"s3", "door"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def _bentoml_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Use a separate model store, set before anything imports bentoml."""
    os.environ["BENTOML_HOME"] = str(tmp_path_factory.mktemp("bentoml"))
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"


@pytest.fixture(scope="session", autouse=True)
def _short_jmeter_runs() -> None:
    """Java compiles for short runs: its second compiler takes half of the time of a test that starts JMeter."""
    os.environ["JVM_ARGS"] = "-Xmx1g -XX:TieredStopAtLevel=1"


@pytest.fixture(autouse=True)
def _clean_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the settings and AWS credentials of the user who runs the tests."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def bundled_tag() -> str:
    """The tag of the bundled model in the store of the tests."""
    from model_store import store

    return str(store.put(BUNDLED))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalS3]:
    """A real S3 server with both buckets."""
    with local_s3(tmp_path_factory.mktemp("s3") / "data", INPUT_BUCKET, OUTPUT_BUCKET) as server:
        yield server


def door_of(name: str, s3: LocalS3, log: Path, env: dict[str, str]) -> contextlib.AbstractContextManager[LocalService]:
    """A separate door for one test, of this checkout or of the image in YOLOV7_IMAGE."""
    options: tuple[str, ...] = ()
    if SLOWER > 1:
        env = {"REQUEST_TIMEOUT_S": str(25 * SLOWER)} | env
        options = (f"--timeout={30 * SLOWER}",)
    if name == "service":
        return local_service(s3, port=free_port(), log=log, env=env, image=IMAGE, ready_s=120 * SLOWER)
    return local_lambda(s3, port=free_port(), log=log, env=env, image=IMAGE, options=options)


@pytest.fixture(scope="session")
def service(s3: LocalS3, bundled_tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A real service with the bundled model."""
    log = tmp_path_factory.mktemp("service") / "service.log"
    with door_of("service", s3, log, {"MODEL": bundled_tag, "S3_ATTEMPTS": "2"}) as running:
        yield running


@pytest.fixture(scope="session")
def lambda_door(s3: LocalS3, bundled_tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A real local Lambda with the bundled model."""
    log = tmp_path_factory.mktemp("lambda") / "lambda.log"
    with door_of("lambda_door", s3, log, {"MODEL": bundled_tag, "S3_ATTEMPTS": "2"}) as running:
        yield running


@pytest.fixture(scope="session", params=["service", "lambda_door"])
def door_name(request: pytest.FixtureRequest) -> str:
    """The name of each door's fixture, one after the other."""
    return str(request.param)


@pytest.fixture(scope="session")
def door(door_name: str, request: pytest.FixtureRequest) -> LocalService:
    """Each door, one after the other: both must keep the same contract."""
    found: LocalService = request.getfixturevalue(door_name)
    return found


@dataclass(frozen=True)
class Answer:
    """An HTTP response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


def send(url: str, body: object = None, *, method: str = "POST", headers: Mapping[str, str] | None = None) -> Answer:
    """Send a request: bytes unchanged, any other body as JSON."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60 * SLOWER) as answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as exc:
        return Answer(exc.code, {k.lower(): v for k, v in exc.headers.items()}, exc.read())


def predict(service: LocalService, body: object, **headers: str) -> Answer:
    """POST /predict."""
    return send(f"{service.url}/predict", body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def listening(process_id: int) -> set[str]:
    """The addresses, as host:port, on which a process and its descendants listen by TCP."""
    parent = psutil.Process(process_id)
    return {
        f"{connection.laddr.ip}:{connection.laddr.port}"
        for process in (parent, *parent.children(recursive=True))
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def results(s3: LocalS3) -> set[str]:
    """The keys in the output bucket."""
    return keys_in(s3, OUTPUT_BUCKET)


def keys_in(s3: LocalS3, bucket: str) -> set[str]:
    """The keys in a bucket, of which S3 lists a thousand at a time."""
    pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def upload(s3: LocalS3, key: str, data: bytes) -> str:
    """Put an object into the input bucket; returns its key."""
    s3.client().put_object(Bucket=INPUT_BUCKET, Key=key, Body=data)
    return key


def to_jpeg(picture: Picture, quality: int = 95) -> bytes:
    """A JPEG file of (H, W, 3) BGR."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def decoded(data: bytes, *, name: str, max_pixels: int) -> Picture:
    """Decode a picture whose header is within the limits."""
    return decode(data, judge(data, name=name, max_pixels=max_pixels), name=name)


def smooth_picture(width: int, height: int, seed: int = 0) -> Picture:
    """A picture that every codec preserves well: (height, width, 3) uint8 BGR."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 9)
    return np.asarray(cv2.normalize(soft, np.zeros_like(soft), 0, 255, cv2.NORM_MINMAX), np.uint8)


@pytest.fixture(scope="session")
def scene() -> Scene:
    """A held-out scene with several objects."""
    return render_scene(HELD_OUT_SEEDS[7], 640)


def wait_for(condition: Any, timeout_s: float = 10.0) -> bool:
    """Whether a condition becomes true within the timeout."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
