"""Detections: labels, selection and validation."""

from __future__ import annotations

import numpy as np
import pytest

from detection.types import Detections

BOXES, SCORES, IDS = np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros(2, np.int64)


def test_detections_know_their_labels() -> None:
    found = Detections(BOXES, SCORES, np.array([1, 0]), ("bus", "car"))
    assert (len(found), found.label(0), found.label(1)) == (2, "car", "bus")


@pytest.mark.parametrize("rows", [np.array([False, True]), np.array([1])])
def test_select_keeps_the_rows_of_a_mask_or_of_indices(rows: object) -> None:
    scores = np.array([0.9, 0.8], np.float32)
    found = Detections(BOXES, scores, np.array([1, 0]), ("bus", "car")).select(rows)  # type: ignore[arg-type]
    assert (found.scores.tolist(), found.label(0)) == (pytest.approx([0.8]), "bus")


@pytest.mark.parametrize(
    ("boxes", "scores", "ids", "message"),
    [
        (np.zeros((2, 5), np.float32), SCORES, IDS, r"boxes must have shape \(2, 4\), but has \(2, 5\)"),
        (BOXES, np.zeros(3, np.float32), IDS, r"scores must have shape \(2,\), but has \(3,\)"),
        (BOXES, SCORES, np.zeros(1, np.int64), r"class_ids must have shape \(2,\), but has \(1,\)"),
        (BOXES, SCORES, np.array([0, 2]), r"class_ids must lie in 0..1, but are \[0, 2\]"),
    ],
)
def test_detections_with_inconsistent_arrays_are_refused(
    boxes: object, scores: object, ids: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Detections(boxes, scores, ids, ("bus", "car"))  # type: ignore[arg-type]
