"""A request in five named steps: fetch, decode, detect, annotate, store."""

from __future__ import annotations

import hashlib
import json
import logging
import posixpath
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from detection.annotate import annotate
from detection.card import ModelCard, read_card
from detection.detector import Detector
from detection.engine import Engine
from detection.errors import OwnResult
from detection.images import decode, encode_jpeg
from detection.types import Detections, Picture
from serving.contract import MAX_KEY_BYTES, Box, Detection, ImageSize, ModelName, PredictAnswer, PredictRequest, Timings
from serving.settings import Settings
from serving.storage import S3Storage, Storage

# Under BentoML's own logger, whose level and format its users set.
logger = logging.getLogger("bentoml.yolov7")


class Predictor:
    """The house: everything that a request needs, made once. Thread-safe."""

    def __init__(self, settings: Settings, detector: Detector, storage: Storage) -> None:
        self.settings = settings
        self.detector = detector
        self.storage = storage
        self._engine_is_free = threading.Lock()

    def warm_up(self) -> None:
        """Detect and annotate once, on a grey 4:3 picture, so that the first request finds everything ready."""
        card = self.detector.card
        picture = np.full((card.input_size * 3 // 4, card.input_size, 3), 114, np.uint8)
        self.detector.detect(picture, confidence=0.25, iou=0.45)
        box, score = np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32)
        annotated = annotate(picture, Detections(box, score, np.zeros(1, np.int64), card.labels))
        encode_jpeg(annotated, self.settings.jpeg_quality)

    def predict(self, request: PredictRequest, *, refuse_results: bool = False) -> PredictAnswer:
        """Answer one request; raises a RequestError, and then has written nothing.

        `refuse_results` is for events, which our own writing causes as well: raises OwnResult for an annotated picture.
        """
        settings, card = self.settings, self.detector.card
        class_ids = self.detector.class_ids(request.classes)
        clock = Stopwatch()
        with clock.measure("fetch"):
            fetched = self.storage.fetch(request.filename)
        if refuse_results and fetched.is_result:
            raise OwnResult(f"{request.filename} in bucket {settings.input_bucket} is an annotated picture")
        with clock.measure("decode"):
            picture = decode(fetched.data, name=request.filename, max_pixels=settings.max_image_pixels)
        # One inference uses all cores: a second one beside it would only slow both down. Waiting is not detecting.
        with self._engine_is_free, clock.measure("detect"):
            found = self.detector.detect(picture, confidence=request.confidence, iou=request.iou, class_ids=class_ids)
        with clock.measure("annotate"):
            jpeg = encode_jpeg(annotate(picture, found), settings.jpeg_quality)
        with clock.measure("store"):
            key = result_key(settings, request, fetched.etag, card)
            location = self.storage.store(key, jpeg)
        return PredictAnswer(
            bucket=settings.output_bucket,
            filename=key,
            location=location,
            detections=_to_contract(found),
            image=_size(picture),
            model=ModelName(name=card.name, version=card.version),
            timings_ms=Timings(**clock.laps_ms, total=clock.total_ms()),
        )


class Stopwatch:
    """Measures named parts of something, milliseconds."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.laps_ms: dict[str, float] = {}

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measure one part."""
        start = time.perf_counter()
        yield
        self.laps_ms[name] = round((time.perf_counter() - start) * 1000, 2)

    def total_ms(self) -> float:
        """Time since the stopwatch was made, the gaps between the parts included."""
        return round((time.perf_counter() - self._start) * 1000, 2)


def result_key(settings: Settings, request: PredictRequest, etag: str, card: ModelCard) -> str:
    """The key of the annotated picture: the picture's own name and a digest of all that shapes the result.

    The same request of the same picture gives the same key, so a repeated request replaces its result by an equal one.
    """
    facts = [settings.input_bucket, etag, request.model_dump(), card.name, card.version, settings.jpeg_quality]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    stem = f"{settings.result_prefix}{posixpath.splitext(request.filename)[0]}"
    ending = f"_{digest}.jpg"
    return stem.encode()[: MAX_KEY_BYTES - len(ending)].decode(errors="ignore") + ending


def _to_contract(found: Detections) -> list[Detection]:
    return [
        Detection(
            label=found.label(i),
            class_id=int(found.class_ids[i]),
            confidence=round(float(found.scores[i]), 4),
            box=Box(**dict(zip(("x1", "y1", "x2", "y2"), (round(float(v), 1) for v in found.boxes[i]), strict=True))),
        )
        for i in range(len(found))
    ]


def _size(picture: Picture) -> ImageSize:
    return ImageSize(width=picture.shape[1], height=picture.shape[0])


def load_predictor(
    settings: Settings, folder: Path, compiled: Callable[[], Engine], *, warm_up: bool = True
) -> Predictor:
    """Make the house from a model's folder and what gives, or waits for, its compiled network; raises SetupError."""
    clock = Stopwatch()
    with clock.measure("s3_client"):
        storage = S3Storage(settings)
        storage.connect()
    with clock.measure("compile"):
        predictor = Predictor(settings, Detector(read_card(folder), compiled()), storage)
    if warm_up:
        with clock.measure("warm_up"):
            predictor.warm_up()
    card = predictor.detector.card
    logger.info("loaded %s:%s, %s", card.name, card.version, json.dumps({"load_ms": clock.laps_ms}))
    return predictor
