"""Whole requests to the service over HTTP with a real S3, and the parts of the service's start."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from bench.engines import Subject
from bench.old_design import KEY
from detection.images import encode_jpeg
from detection.types import Picture
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, local_service, post
from local.processes import free_port
from local.s3 import LocalS3
from model_store import store
from scenes.pictures import jpeg_near, soft_noise

PICTURE_BYTES = 500_000
WIDTH, HEIGHT = 1600, 1200
QUALITY = 90  # The default of JPEG_QUALITY.


def half_megabyte_picture() -> tuple[Picture, bytes]:
    """A 4:3 picture, (1200, 1600, 3) BGR, and its JPEG file of about half a megabyte."""
    picture = soft_noise(np.random.default_rng(0), WIDTH, HEIGHT)
    return picture, jpeg_near(picture, PICTURE_BYTES)


@dataclass
class Served:
    """Sends requests to the service over HTTP; keeps the step times of the responses."""

    url: str
    timings_ms: list[dict[str, float]] = field(default_factory=list)

    def __call__(self) -> None:
        status, body = post(f"{self.url}/predict", json.dumps({"filename": KEY}).encode())
        if status != 200:
            raise RuntimeError(f"the service answered {status}: {body.decode()}")
        self.timings_ms.append(json.loads(body)["timings_ms"])


@dataclass
class Uploaded:
    """Uploads the picture and takes the annotated one; keeps the step times of the responses."""

    url: str
    data: bytes
    timings_ms: list[dict[str, float]] = field(default_factory=list)

    def __call__(self) -> None:
        headers = {"Content-Type": "image/jpeg", "Accept": "image/jpeg"}
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/predict", self.data, headers)) as answer:
            answer.read()
            steps = (step.partition(";dur=") for step in answer.headers["Server-Timing"].split(", "))
        self.timings_ms.append({name: float(value) for name, _, value in steps})


@contextlib.contextmanager
def served(subject: Subject, s3: LocalS3, folder: Path) -> Iterator[tuple[Served, dict[str, float]]]:
    """Run the service with a subject's model; yields a request to call and the parts of the start in ms."""
    tag = store.put(subject.folder)
    log = folder / "service.log"
    start = time.perf_counter()
    with local_service(s3, port=free_port(), log=log, env={"MODEL": str(tag)}) as service:
        ready = time.perf_counter()
        ask = Served(service.url)
        ask()
        answered = time.perf_counter()
        yield ask, start_parts((ready - start) * 1000, (answered - ready) * 1000, logged_load_ms(log.read_text()))


def logged_load_ms(log: str) -> dict[str, float]:
    """The milliseconds of each part of loading that the service logged; raises RuntimeError if there are none."""
    found = re.search(r"\{\"load_ms\".*?\}\}", log)
    if not found:
        raise RuntimeError(f"the service logged no load_ms: {log[-500:]}")
    parts: dict[str, float] = json.loads(found.group())["load_ms"]
    return parts


def start_parts(ready_ms: float, first_ms: float, load: Mapping[str, float]) -> dict[str, float]:
    """The parts of the time from the start of the service to the first response, in milliseconds.

    The service is ready after `ready_ms`, of which `load` is a part; the first response comes `first_ms` later.
    """
    return {
        "Python and BentoML, twice: the parent and its worker": ready_ms - sum(load.values()),
        "compile the model": load["compile"],
        "one inference to warm up": load["warm_up"],
        "S3 client": load["s3_client"],
        "first response": first_ms,
    }


def unavoidable(s3: LocalS3, picture: Picture, data: bytes) -> dict[str, Callable[[], object]]:
    """What no service can leave out: OpenCV's decoding and encoding, and S3's own time for the two pictures.

    S3 is asked over an open connection by a presigned URL, without any client library.
    """
    jpeg = encode_jpeg(picture, QUALITY)
    address = urllib.parse.urlsplit(s3.endpoint)
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    client = s3.client()

    def ask(
        method: Literal["get_object", "put_object"], bucket: str, body: bytes | None = None
    ) -> Callable[[], object]:
        url = client.generate_presigned_url(method, Params={"Bucket": bucket, "Key": KEY})

        def go() -> None:
            connection.request(method[:3].upper(), url.removeprefix(s3.endpoint), body or None)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"S3 answered {answer.status}")

        return go

    return {
        "fetch": ask("get_object", INPUT_BUCKET),
        "decode": lambda: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR),
        "annotate": lambda: encode_jpeg(picture, QUALITY),
        "store": ask("put_object", OUTPUT_BUCKET, jpeg),
    }


def upload(s3: LocalS3, data: bytes) -> None:
    """Put the picture into the bucket that both designs read."""
    s3.client().put_object(Bucket=INPUT_BUCKET, Key=KEY, Body=data)
