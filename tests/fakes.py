"""A model card, an engine and a storage without OpenVINO and S3, for fast tests of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from detection.card import ModelCard
from detection.detector import Detector
from detection.types import Floats, Picture
from serving.bounds import Deadline
from serving.contract import PredictAnswer, PredictRequest
from serving.errors import ImageNotFound, RequestError
from serving.predictor import Predictor
from serving.settings import Settings
from serving.storage import Fetched

CARD = ModelCard(
    name="fake",
    version="1",
    variant="yolov7-tiny",
    labels=("bus", "car"),
    anchors=(((32.0, 32.0),),),
    strides=(32,),
    input_size=64,
    precision="fp32",
    source="a test",
    licence="Apache-2.0",
)


@dataclass
class FakeEngine:
    """Finds a bus in the middle of the first cell of every picture, and a car in the last cell."""

    seen: list[tuple[int, ...]] = field(default_factory=list)

    @contextmanager
    def infer(self, picture: Picture) -> Iterator[list[Floats]]:
        self.seen.append(picture.shape)
        maps = np.full((7, picture.shape[0] // 32, picture.shape[1] // 32), -20, np.float32)
        maps[:4] = 0.0
        maps[4:6, 0, 0] = 3.0
        maps[[4, 6], -1, -1] = 2.0
        yield [maps]


SETTINGS = Settings(input_bucket="pictures", output_bucket="results", result_prefix="annotated/")


@dataclass
class FakeStorage:
    """A storage that keeps its pictures in a dictionary."""

    pictures: dict[str, bytes]
    stored: dict[str, bytes] = field(default_factory=dict)

    def fetch(self, key: str, deadline: Deadline, version_id: str | None = None) -> Fetched:
        if key not in self.pictures:
            raise ImageNotFound(f"{key} is not in bucket pictures: upload it first")
        return Fetched(self.pictures[key], f"tag of {key}", is_result=key in self.stored)

    def store(self, key: str, data: bytes, deadline: Deadline) -> str:
        self.stored[key] = data
        return f"https://results/{key}"

    def reconnect(self) -> None:
        """A dictionary has no connections."""


def predictor(**pictures: bytes) -> Predictor:
    """A predictor with a storage of these pictures; their names are the keys."""
    return Predictor(SETTINGS, Detector(CARD, FakeEngine()), FakeStorage(pictures))


@dataclass
class RecordingObserver:
    """An observer that keeps all answers and errors."""

    answers: list[tuple[PredictRequest, PredictAnswer, str]] = field(default_factory=list)
    errors: list[tuple[RequestError, Exception, str]] = field(default_factory=list)

    def answered(self, request: PredictRequest, answer: PredictAnswer, request_id: str) -> None:
        self.answers.append((request, answer, request_id))

    def failed(self, error: RequestError, cause: Exception, request_id: str) -> None:
        self.errors.append((error, cause, request_id))
