"""The targets of `make fuzz`: how an input is made, and which function reads it."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from detection.errors import NotAPicture, PictureTooLarge
from model_store.errors import CheckpointError
from serving.accept import Accepted
from serving.aws import observe
from serving.aws.batch_events import BatchEvents
from serving.aws.function import Function
from serving.aws.http_events import HttpEvents
from serving.aws.object_events import ObjectEvents
from serving.aws.observe import CloudWatchObserver
from serving.aws.queue_events import QueueEvents
from serving.bodies import Sent, read_call
from serving.errors import EventFailed, RequestError
from serving.instance import Instance
from serving.respond import Responder
from tests.conftest import decoded
from tests.detection.test_headers import GIF, RGB, saved, tiff_with_a_tile
from tests.detection.test_images import FILES
from tests.fakes import FakeStorage, predictor
from tests.fuzz import checkpoints
from tests.fuzz.mutate import mutated
from tests.serving.aws.test_events import EVENTS, PICTURE, Context, recorded


@dataclass(frozen=True)
class Target:
    """One reader: `make` creates an input, `read` reads it, `expected` are the errors that a bad input may raise."""

    make: Callable[[Random], bytes]
    read: Callable[[bytes], object]
    expected: tuple[type[Exception], ...]


PICTURES = [
    *(data for data, *_ in FILES.values()),
    GIF,
    tiff_with_a_tile(16, 16),
    saved(RGB, "TIFF", compression="tiff_lzw"),
    saved(RGB, "TIFF", compression="tiff_adobe_deflate"),
    saved(RGB.convert("RGBA"), "WEBP", lossless=True),
    *(saved(RGB, kind, save_all=True, append_images=[RGB.rotate(9)]) for kind in ("WEBP", "PNG", "GIF")),
]
BODIES = [b'{"filename": "a/bus.jpg", "confidence": 0.5, "iou": 0.45, "classes": ["bus", "car"]}']
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    3.5,
    "",
    "x",
    "\ud800",
    "a\nb",
    [],
    {},
    [None],
    {"a": 1},
    10**30,
    math.nan,
    "é" * 2000,
    [[]],
)


def mutated_event(random: Random) -> bytes:
    """Replace or remove a few fields of one of the events in tests/events."""
    event = recorded(random.choice(sorted(file.stem for file in EVENTS.glob("*.json"))))
    for _ in range(random.choice((1, 1, 2, 3))):
        path = random.choice([*_paths(event)])
        inner = event
        for key in path[:-1]:
            inner = inner[key]
        if random.random() < 0.8:
            inner[path[-1]] = copy.deepcopy(random.choice(ODD))
        else:
            del inner[path[-1]]
        if not event:
            break
    return json.dumps(event).encode()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


def _event_reader() -> Callable[[bytes], object]:
    ours, instance = predictor(), Instance()
    observer = CloudWatchObserver(instance)
    ours.storage = FakeStorage(dict.fromkeys(["my pictureé.jpg", *(f"scene-{n}.jpg" for n in (1, 2, 3, 4))], PICTURE))
    function = Function(ours, Responder(instance, observer), observer)
    objects = ObjectEvents(function)
    kinds = (HttpEvents(function), BatchEvents(function, objects), QueueEvents(function, objects), objects)

    def read(data: bytes) -> str:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return json.dumps(function.answer(json.loads(data), Context(), kinds))
        finally:
            observe.metrics.clear_metrics()

    return read


FORM = "multipart/form-data; boundary=xyz"
FORMS = [
    b'--xyz\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    + PICTURE
    + b'\r\n--xyz\r\nContent-Disposition: form-data; name="classes"\r\n\r\nbus\r\n--xyz--\r\n',
]


def _read_body(body: bytes, content_type: str = "", query: str = "") -> object:
    sent = Sent(Accepted(), content_type, query, body)
    return read_call(sent, max_image_bytes=1_000_000)


def targets() -> dict[str, Target]:
    """The targets by name."""
    return {
        "pictures": Target(
            lambda random: mutated(random.choice(PICTURES), random),
            lambda data: decoded(data, name="x", max_pixels=50_000_000),
            (NotAPicture, PictureTooLarge),
        ),
        "requests": Target(
            lambda random: mutated(random.choice(BODIES), random),
            _read_body,
            (RequestError,),
        ),
        "forms": Target(
            lambda random: mutated(random.choice(FORMS), random),
            lambda data: _read_body(data, FORM, "confidence=0.5&store=true"),
            (RequestError,),
        ),
        "events": Target(mutated_event, _event_reader(), (EventFailed,)),
        "checkpoints": Target(checkpoints.mutated_checkpoint, checkpoints.read, (CheckpointError,)),
    }
