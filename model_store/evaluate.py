"""Mean average precision by COCO's own code."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


@dataclass(frozen=True)
class CocoBox:
    """A box in a picture: `corners` (4,) x1 y1 x2 y2 in pixels; the score is 1 for the truth."""

    image_id: int
    class_id: int
    corners: NDArray[Any]
    score: float = 1.0

    def to_row(self) -> dict[str, Any]:
        """The box as COCO writes it."""
        x1, y1, x2, y2 = (float(v) for v in self.corners)
        return {
            "image_id": self.image_id,
            "category_id": self.class_id,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
            "score": self.score,
        }


@dataclass(frozen=True)
class Precision:
    """mAP at IoU 0.5, mAP over IoU 0.5 to 0.95, and the latter per label (absent labels are left out)."""

    map50: float
    map50_95: float
    per_label: dict[str, float]


def coco_map(
    truth: Sequence[CocoBox], found: Sequence[CocoBox], image_ids: Sequence[int], labels: Sequence[str]
) -> Precision:
    """Judge detections against the truth, with at most 100 detections per picture, as COCO does."""
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress.
        dataset = COCO()
        dataset.dataset = {
            "images": [{"id": i} for i in image_ids],
            "categories": [{"id": i, "name": label} for i, label in enumerate(labels)],
            "annotations": [box.to_row() | {"id": n} for n, box in enumerate(truth, 1)],
        }
        dataset.createIndex()
        if not found:
            return Precision(0.0, 0.0, {})
        judged = COCOeval(dataset, dataset.loadRes([box.to_row() for box in found]), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    precision = judged.eval["precision"][:, :, :, 0, -1]  # IoU, recall, label, all areas, 100 detections
    per_label = {
        label: float(np.mean(precision[:, :, i])) for i, label in enumerate(labels) if (precision[:, :, i] > -1).any()
    }
    return Precision(float(judged.stats[1]), float(judged.stats[0]), per_label)
