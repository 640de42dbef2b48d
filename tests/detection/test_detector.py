"""Detection: letterbox, engine, postprocessing, and the choice of classes."""

from __future__ import annotations

import numpy as np
import pytest

from detection.detector import Detector
from detection.errors import UnknownLabel
from tests.fakes import CARD, FakeEngine


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


def test_detect_without_a_wanted_class_finds_nothing() -> None:
    detector = Detector(CARD, FakeEngine())
    wanted = detector.class_ids([])
    assert len(detector.detect(np.zeros((64, 64, 3), np.uint8), confidence=0.25, iou=0.45, class_ids=wanted)) == 0


def test_an_unknown_label_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownLabel, match=r"classes: 'cat' is not a label of fake; known are bus, car"):
        Detector(CARD, FakeEngine()).class_ids(["bus", "cat"])


def test_a_label_of_two_classes_finds_both() -> None:
    card = CARD.model_copy(update={"labels": ("bus", "bus")})
    detector = Detector(card, FakeEngine())
    wanted = detector.class_ids(["bus"])
    found = detector.detect(np.zeros((64, 64, 3), np.uint8), confidence=0.25, iou=0.45, class_ids=wanted)
    assert found.class_ids.tolist() == [0, 1]
