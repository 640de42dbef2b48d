"""Whole requests to the service over HTTP, against a real S3; and the way to the first answer."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.engines import Subject
from bench.old_design import KEY
from detection.types import Picture
from local.doors import INPUT_BUCKET, local_service, post
from local.processes import free_port
from local.s3 import LocalS3
from model_store import store
from scenes.pictures import jpeg_near, soft_noise

PICTURE_BYTES = 500_000
WIDTH, HEIGHT = 1600, 1200


def half_megabyte_picture() -> tuple[Picture, bytes]:
    """A 4:3 picture, (1200, 1600, 3) BGR, and its JPEG file of about half a megabyte."""
    picture = soft_noise(np.random.default_rng(0), WIDTH, HEIGHT)
    return picture, jpeg_near(picture, PICTURE_BYTES)


@dataclass
class Served:
    """The service, asked over HTTP; keeps the step times of its answers."""

    url: str
    timings_ms: list[dict[str, float]] = field(default_factory=list)

    def __call__(self) -> None:
        status, body = post(f"{self.url}/predict", json.dumps({"filename": KEY}).encode())
        if status != 200:
            raise RuntimeError(f"the service answered {status}: {body.decode()}")
        self.timings_ms.append(json.loads(body)["timings_ms"])


@contextlib.contextmanager
def served(subject: Subject, s3: LocalS3, folder: Path) -> Iterator[tuple[Served, dict[str, float]]]:
    """Run the service with a subject's model; gives the way to ask it, and how its start was spent, milliseconds."""
    tag = store.put(subject.folder)
    log = folder / "service.log"
    start = time.perf_counter()
    with local_service(s3, port=free_port(), log=log, env={"MODEL": str(tag)}) as service:
        ready = time.perf_counter()
        ask = Served(service.url)
        ask()
        answered = time.perf_counter()
        found = re.search(r"\{\"load_ms\".*?\}\}", log.read_text())
        load = json.loads(found.group())["load_ms"] if found else {}
        rest = (ready - start) * 1000 - sum(load.values())
        yield (
            ask,
            {
                "python and BentoML, twice: the parent and its worker": rest,
                "compile the model": load.get("compile", 0.0),
                "one inference to warm up": load.get("warm_up", 0.0),
                "S3 client": load.get("s3_client", 0.0),
                "first answer": (answered - ready) * 1000,
            },
        )


def upload(s3: LocalS3, data: bytes) -> None:
    """Put the picture where both designs read it."""
    s3.client().put_object(Bucket=INPUT_BUCKET, Key=KEY, Body=data)
