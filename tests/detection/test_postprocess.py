"""Decoding of logits and non-maximum suppression, compared with slow reference code and hand-made boxes."""

from __future__ import annotations

import numpy as np
import pytest

from detection.postprocess import MAX_DETECTIONS, maps_to_candidates, nms
from detection.types import Floats

ANCHORS = np.array([[[10, 20], [30, 40]], [[50, 60], [70, 80]]], np.float32)
STRIDES = (8, 16)


def slow_decode(maps: list[Floats], confidence: float) -> list[tuple[list[float], float, int]]:
    """The published rules for one cell at a time, in double precision."""
    rows = []
    for logits, anchors, stride in zip(maps, ANCHORS, STRIDES, strict=True):
        channels, height, width = logits.shape
        for a in range(len(anchors)):
            for row in range(height):
                for column in range(width):
                    values = logits.reshape(len(anchors), channels // len(anchors), height, width)[a, :, row, column]
                    y = 1 / (1 + np.exp(-values.astype(np.float64)))
                    x_centre, y_centre = (2 * y[0] - 0.5 + column) * stride, (2 * y[1] - 0.5 + row) * stride
                    w, h = (2 * y[2]) ** 2 * anchors[a][0], (2 * y[3]) ** 2 * anchors[a][1]
                    classes = y[5:] * y[4] if len(y) > 6 else y[4:5]
                    best = int(classes.argmax())
                    if y[4] > confidence and classes[best] > confidence:
                        box = [x_centre - w / 2, y_centre - h / 2, x_centre + w / 2, y_centre + h / 2]
                        rows.append((box, float(classes[best]), best))
    return rows


@pytest.mark.parametrize("classes", [1, 2, 80])
@pytest.mark.parametrize("confidence", [0.0, 0.25, 0.6])
def test_decoding_follows_the_published_rules(classes: int, confidence: float) -> None:
    rng = np.random.default_rng(classes)
    maps = [rng.normal(0, 2, (2 * (5 + classes), *size)).astype(np.float32) for size in ((6, 4), (3, 2))]
    boxes, scores, class_ids = maps_to_candidates(maps, ANCHORS, STRIDES, confidence)
    expected = slow_decode(maps, confidence)
    assert len(boxes) == len(expected) > 0
    np.testing.assert_allclose(boxes, [row[0] for row in expected], atol=1e-3)
    np.testing.assert_allclose(scores, [row[1] for row in expected], atol=1e-6)
    assert class_ids.tolist() == [row[2] for row in expected]


def test_decoding_with_confidence_one_finds_nothing() -> None:
    maps = [np.full((14, 2, 2), 50, np.float32), np.full((14, 1, 1), 50, np.float32)]
    assert [len(part) for part in maps_to_candidates(maps, ANCHORS, STRIDES, 1.0)] == [0, 0, 0]


def test_nms_keeps_the_best_of_overlapping_boxes_of_a_class() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30], [0, 0, 10, 10]], np.float32)
    scores = np.array([0.5, 0.9, 0.3, 0.8], np.float32)
    assert nms(boxes, scores, np.array([0, 0, 0, 1]), 0.45).tolist() == [1, 3, 2]


def test_nms_drops_only_what_overlaps_more_than_the_threshold() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5]], np.float32)  # IoU is exactly one half.
    scores, ids = np.array([0.9, 0.8], np.float32), np.array([0, 0])
    assert nms(boxes, scores, ids, 0.5).tolist() == [0, 1]
    assert nms(boxes, scores, ids, 0.49).tolist() == [0]


def test_nms_keeps_at_most_max_detections() -> None:
    corners = np.arange(1000, dtype=np.float32)[:, None] * 20
    boxes = np.concatenate([corners, corners, corners + 10, corners + 10], 1)
    kept = nms(boxes, np.linspace(1, 0.1, 1000, dtype=np.float32), np.zeros(1000, np.int64), 0.45)
    assert kept.tolist() == list(range(MAX_DETECTIONS))


def test_nms_accepts_no_boxes() -> None:
    assert nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), 0.5).tolist() == []
