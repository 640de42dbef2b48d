from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from detection.card import ModelCard
from detection.detector import Detector
from detection.errors import InvalidRequest
from detection.types import Floats, Picture

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
    """Sees a bus in the middle of the first cell of every picture, and a car in the last."""

    seen: list[tuple[int, ...]] = field(default_factory=list)

    def infer(self, picture: Picture) -> list[Floats]:
        self.seen.append(picture.shape)
        maps = np.full((7, picture.shape[0] // 32, picture.shape[1] // 32), -20, np.float32)
        maps[:4] = 0.0
        maps[4:6, 0, 0] = 3.0
        maps[[4, 6], -1, -1] = 2.0
        return [maps]


def test_detect_letterboxes_and_maps_back() -> None:
    engine = FakeEngine()
    found = Detector(CARD, engine).detect(np.zeros((300, 600, 3), np.uint8), confidence=0.25, iou=0.45)
    assert engine.seen == [(32, 64, 3)]
    assert [found.label(i) for i in range(len(found))] == ["bus", "car"]
    np.testing.assert_allclose(found.boxes, [[0, 0, 300, 300], [300, 0, 600, 300]], atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.9526**2, 0.8808**2], atol=1e-3)


def test_detect_keeps_only_the_wanted_classes() -> None:
    detector = Detector(CARD, FakeEngine())
    wanted = detector.class_ids(["car"])
    found = detector.detect(np.zeros((64, 64, 3), np.uint8), confidence=0.25, iou=0.45, class_ids=wanted)
    assert found.class_ids.tolist() == [1]


def test_no_wanted_class_finds_nothing() -> None:
    detector = Detector(CARD, FakeEngine())
    wanted = detector.class_ids([])
    assert len(detector.detect(np.zeros((64, 64, 3), np.uint8), confidence=0.25, iou=0.45, class_ids=wanted)) == 0


def test_an_unknown_label_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest, match=r"classes: 'cat' is no label of fake; known are bus, car"):
        Detector(CARD, FakeEngine()).class_ids(["bus", "cat"])
