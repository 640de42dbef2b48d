"""A request in five named steps: fetch, decode, detect, annotate, store."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detection.annotate import annotate
from detection.card import ModelCard, read_card
from detection.detector import Detector
from detection.engine import Engine
from detection.images import decode, encode_jpeg, judge
from detection.types import Detections, Integers
from serving.bounds import Deadline, PixelBudget, acquired, return_freed_memory
from serving.contract import Answer, Box, Call, Detection, ImageSize, ModelName, PredictAnswer, PredictRequest, Timings
from serving.errors import ImageTooLarge, OwnResult
from serving.result_names import ResultNames
from serving.settings import Settings
from serving.storage import Fetched, S3Storage, Storage

# Under BentoML's own logger, whose level and format its users set.
logger = logging.getLogger("bentoml.yolov7")


@dataclass(frozen=True)
class Processed:
    """What came out of a picture in memory: its size, the detections, and the annotated picture as JPEG, if wanted."""

    size: ImageSize
    found: Detections
    jpeg: bytes | None


class Predictor:
    """The settings, the detector and the storage of one process, and the five steps. Thread-safe."""

    def __init__(self, settings: Settings, detector: Detector, storage: Storage) -> None:
        self.settings = settings
        self.detector = detector
        self.storage = storage
        self._engine_is_free = threading.Semaphore(settings.inferences)
        self._pixels = PixelBudget(settings.max_image_pixels)

    def warm_up(self) -> None:
        """Detect and annotate once, on a grey 4:3 picture, so that the first request does not pay for it."""
        card = self.detector.card
        picture = np.full((card.input_size * 3 // 4, card.input_size, 3), 114, np.uint8)
        self.detector.detect(picture, confidence=0.25, iou=0.45)
        box, score = np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32)
        annotate(picture, Detections(box, score, np.zeros(1, np.int64), card.labels))
        encode_jpeg(picture, self.settings.jpeg_quality)

    def predict(self, call: Call, deadline: Deadline | None = None, *, refuse_results: bool = False) -> Answer:
        """Answer one request; when it raises an error, nothing has been written, unless S3 failed to confirm a write.

        Without a `deadline` it begins now. The annotated picture is drawn only if it is stored or returned.

        `refuse_results` is for events, which writing a result causes as well: raises OwnResult for an annotated
        picture.
        """
        request, settings, card = call.request, self.settings, self.detector.card
        class_ids = self.detector.class_ids(request.classes)
        deadline, clock = deadline or Deadline(settings.request_timeout_s), Stopwatch()
        fetched = self._fetch(call, deadline, clock)
        if refuse_results and fetched.is_result:
            raise OwnResult(f"{request.filename} in bucket {settings.input_bucket} is an annotated picture")
        processed = self.process(
            fetched.data,
            name=request.filename if call.picture is None else "the upload",
            confidence=request.confidence,
            iou=request.iou,
            class_ids=class_ids,
            deadline=deadline,
            clock=clock,
            draws=call.stores or call.returns_picture,
        )
        if call.returns_picture and processed.jpeg and call.max_returned_bytes is not None:
            _check_returned(processed.jpeg, call.max_returned_bytes)
        stored: dict[str, str] = {}
        if call.stores and processed.jpeg:
            with clock.measure("store"):
                key = result_key(settings, request, fetched.etag, card)
                location = self.storage.store(key, processed.jpeg, deadline)
            stored = {"bucket": settings.output_bucket, "filename": key, "location": location}
        found = PredictAnswer(
            **stored,
            detections=_to_contract(processed.found),
            image=processed.size,
            model=ModelName(name=card.name, version=card.version),
            timings_ms=Timings(**clock.laps_ms, total=clock.total_ms()),
        )
        return Answer(found, processed.jpeg)

    def _fetch(self, call: Call, deadline: Deadline, clock: Stopwatch) -> Fetched:
        """The picture of a call: the one that came with it, or that of the input bucket."""
        if call.picture is not None:
            # The tag shapes the key of the result, as S3's does.
            return Fetched(call.picture, hashlib.sha256(call.picture).hexdigest() if call.stores else "")
        with clock.measure("fetch"):
            return self.storage.fetch(call.request.filename, deadline, call.version_id)

    def process(
        self,
        data: bytes,
        *,
        name: str,
        confidence: float,
        iou: float,
        class_ids: Integers | None,
        deadline: Deadline,
        clock: Stopwatch,
        draws: bool = True,
    ) -> Processed:
        """Decode, detect and annotate a picture in memory; `name` is for the messages of the errors.

        Without `draws` the annotated picture is not made.

        Raises PictureTooLarge, NotAPicture or DeadlineExceeded.
        """
        header = judge(data, name=name, max_pixels=self.settings.max_image_pixels)
        # Waiting for memory or for the engine is not part of a step's time.
        with self._pixels.reserve(header.pixels, deadline):
            with clock.measure("decode"):
                picture = decode(data, header, name=name)
            # Inferences at the same time share the cores: more than INFERENCES would only slow each other down.
            with acquired(self._engine_is_free, deadline, "detect"), clock.measure("detect"):
                found = self.detector.detect(picture, confidence=confidence, iou=iou, class_ids=class_ids)
            jpeg = None
            if draws:
                deadline.check("annotate")
                with clock.measure("annotate"):
                    annotate(picture, found)
                    jpeg = encode_jpeg(picture, self.settings.jpeg_quality)
        return Processed(ImageSize(width=picture.shape[1], height=picture.shape[0]), found, jpeg)


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
        """Time since the stopwatch was made, including the gaps between the parts."""
        return round((time.perf_counter() - self._start) * 1000, 2)


def result_key(settings: Settings, request: PredictRequest, etag: str, card: ModelCard) -> str:
    """The key of the annotated picture by the settings and the model of this process."""
    names = ResultNames(settings.input_bucket, settings.result_prefix, settings.jpeg_quality, card.name, card.version)
    return names.key(request, etag)


def _check_returned(jpeg: bytes, limit: int) -> None:
    if len(jpeg) > limit:
        raise ImageTooLarge(
            f"the annotated picture has {len(jpeg) / 1e6:.1f} MB; a response of this door holds {limit / 1e6:.1f} MB: "
            "ask for JSON with store=true, or send a smaller picture"
        )


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


def load_predictor(
    settings: Settings, folder: Path, compiled: Callable[[], Engine], *, warm_up: bool = True
) -> Predictor:
    """Make the predictor of a model folder; `compiled` returns its engine, or waits for it. Raises ModelError."""
    return_freed_memory()
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
