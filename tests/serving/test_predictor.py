"""The five steps of a request with a fake engine and a fake storage, and their deadline."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from detection.detector import Detector
from detection.errors import DetectionError, NotAPicture, UnknownLabel
from detection.types import Floats, Picture
from serving.bounds import Deadline
from serving.contract import MAX_KEY_BYTES, Call, PredictRequest
from serving.errors import DeadlineExceeded, OwnResult
from serving.predictor import Predictor, result_key
from tests.conftest import decoded, to_jpeg
from tests.fakes import CARD, SETTINGS, FakeEngine, FakeStorage, predictor


def test_predict_returns_the_response_of_the_contract() -> None:
    ours = predictor(bus=to_jpeg(np.full((300, 600, 3), 60, np.uint8)))
    answer = ours.predict(Call(PredictRequest(filename="bus"))).found.model_dump()
    timings = answer.pop("timings_ms")
    key = answer["filename"]
    assert answer == {
        "bucket": "results",
        "filename": key,
        "location": f"https://results/{key}",
        "detections": [
            {"label": "bus", "class_id": 0, "confidence": 0.9074, "box": {"x1": 0, "y1": 0, "x2": 300, "y2": 300}},
            {"label": "car", "class_id": 1, "confidence": 0.7758, "box": {"x1": 300, "y1": 0, "x2": 600, "y2": 300}},
        ],
        "image": {"width": 600, "height": 300},
        "model": {"name": "fake", "version": "1"},
    }
    assert list(timings) == ["fetch", "decode", "detect", "annotate", "store", "total"]
    assert sum(timings.values()) - timings["total"] <= timings["total"] + 0.1
    assert isinstance(ours.storage, FakeStorage)
    assert decoded(ours.storage.stored[key], name=key, max_pixels=10**6).shape == (300, 600, 3)


def test_warm_up_infers_once_and_writes_nothing() -> None:
    engine, storage = FakeEngine(), FakeStorage({})
    Predictor(SETTINGS, Detector(CARD, engine), storage).warm_up()
    assert engine.seen == [(64, 64, 3)]
    assert storage.stored == {}


def test_an_annotated_picture_is_refused_for_events_only() -> None:
    ours = predictor(bus=to_jpeg(np.zeros((8, 8, 3), np.uint8)))
    assert isinstance(ours.storage, FakeStorage)
    made = str(ours.predict(Call(PredictRequest(filename="bus"))).found.filename)
    ours.storage.pictures[made] = ours.storage.stored[made]
    with pytest.raises(OwnResult, match="is an annotated picture"):
        ours.predict(Call(PredictRequest(filename=made)), refuse_results=True)
    assert set(ours.storage.stored) == {made}
    assert ours.predict(Call(PredictRequest(filename=made))).found.filename != made


@pytest.mark.parametrize("body", [{"filename": "text"}, {"filename": "bus", "classes": ["cat"]}])
def test_predict_writes_nothing_when_it_fails(body: dict[str, object]) -> None:
    ours = predictor(text=b"no picture", bus=to_jpeg(np.zeros((8, 8, 3), np.uint8)))
    with pytest.raises(DetectionError):
        ours.predict(Call(PredictRequest.model_validate(body)))
    assert isinstance(ours.storage, FakeStorage)
    assert ours.storage.stored == {}


def test_an_unknown_label_is_refused_before_anything_is_fetched() -> None:
    with pytest.raises(UnknownLabel, match="not a label"):
        predictor().predict(Call(PredictRequest(filename="not even there", classes=["cat"])))


def test_a_broken_picture_is_named() -> None:
    with pytest.raises(NotAPicture, match=r"^text is not a picture"):
        predictor(text=b"no picture").predict(Call(PredictRequest(filename="text")))


def test_equal_requests_give_equal_keys_and_different_ones_different_keys() -> None:
    def key(etag: str = "1", **changes: object) -> str:
        return result_key(SETTINGS, PredictRequest.model_validate({"filename": "a/bus.png"} | changes), etag, CARD)

    assert key() == key()
    assert key().startswith("annotated/a/bus_")
    assert key().endswith(".jpg")
    others = [key(etag="2"), key(confidence=0.3), key(iou=0.3), key(classes=["bus"]), key(filename="a/c.png")]
    assert len({key(), *others}) == 6


def test_the_key_of_a_result_is_at_most_as_long_as_s3_allows() -> None:
    key = result_key(SETTINGS, PredictRequest(filename="é" * 512), "1", CARD)
    assert MAX_KEY_BYTES - 1 <= len(key.encode()) <= MAX_KEY_BYTES


class SlowEngine(FakeEngine):
    """An engine whose inference waits for the test."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    @contextmanager
    def infer(self, picture: Picture) -> Iterator[list[Floats]]:
        self.begun.set()
        assert self.go_on.wait(10)
        with super().infer(picture) as maps:
            yield maps


def test_nothing_is_written_after_the_deadline() -> None:
    engine, storage = SlowEngine(), FakeStorage({"bus": to_jpeg(np.zeros((8, 8, 3), np.uint8))})
    ours, deadline = Predictor(SETTINGS, Detector(CARD, engine), storage), Deadline(0.1)
    threading.Timer(0.2, engine.go_on.set).start()
    with pytest.raises(DeadlineExceeded, match="before it could annotate"):
        ours.predict(Call(PredictRequest(filename="bus")), deadline)
    assert storage.stored == {}


@pytest.mark.parametrize(("side", "step"), [(8, "detect"), (64, "decode")])
def test_a_request_waits_for_memory_and_for_the_engine_until_its_deadline(side: int, step: str) -> None:
    """The first picture reserves 64 of 4,100 pixels, so a second one of 64 x 64 must wait for its memory."""
    engine = SlowEngine()
    settings = SETTINGS.model_copy(update={"max_image_pixels": 4100})
    pictures = {str(n): to_jpeg(np.zeros((n, n, 3), np.uint8)) for n in (8, 64)}
    ours = Predictor(settings, Detector(CARD, engine), FakeStorage(pictures))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ours.predict, Call(PredictRequest(filename="8")))
        assert engine.begun.wait(10)
        with pytest.raises(DeadlineExceeded, match=f"before it could {step}"):
            ours.predict(Call(PredictRequest(filename=str(side))), Deadline(0.05))
        engine.go_on.set()
        assert first.result().found.image.width == 8
    assert ours.predict(Call(PredictRequest(filename="64"))).found.image.width == 64


@pytest.mark.parametrize("inferences", [1, 2])
def test_so_many_pictures_are_in_the_network_at_the_same_time(inferences: int) -> None:
    class Counting(FakeEngine):
        inside = most = 0

        @contextmanager
        def infer(self, picture: Picture) -> Iterator[list[Floats]]:
            with lock:
                self.inside += 1
                self.most = max(self.most, self.inside)
            entered.wait(0.3)  # Set when as many are inside as may be.
            if self.inside >= inferences:
                entered.set()
            with super().infer(picture) as maps:
                yield maps
            with lock:
                self.inside -= 1

    lock, entered, engine = threading.Lock(), threading.Event(), Counting()
    settings = SETTINGS.model_copy(update={"inferences": inferences})
    ours = Predictor(settings, Detector(CARD, engine), FakeStorage({"bus": to_jpeg(np.zeros((8, 8, 3), np.uint8))}))
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(ours.predict, Call(PredictRequest(filename="bus"))) for _ in range(8)]:
            done.result(timeout=30)
    assert engine.most == inferences
