"""Measure mean average precision with COCO's own code."""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from detection.detector import Detector
from detection.errors import DetectionError
from detection.images import decode, judge
from detection.types import Picture
from model_store.errors import PicturesError

# COCO results use a low confidence, and an IoU at which close neighbours are kept.
CONFIDENCE = 0.001
IOU = 0.65
MAX_PIXELS = 200_000_000

# Confidence from which a reference's detections count as objects, if there are no annotations.
TRUTH_CONFIDENCE = 0.25


@dataclass(frozen=True)
class CocoBox:
    """A box in a picture: `corners` (4,) x1 y1 x2 y2 in pixels; the score is 1 for the truth."""

    image_id: int
    class_id: int
    corners: NDArray[Any]
    score: float = 1.0

    def to_row(self) -> dict[str, Any]:
        """The box in COCO's format."""
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
    """mAP at IoU 0.5, mAP over IoU 0.5 to 0.95, and the latter for each label that the truth has."""

    map50: float
    map50_95: float
    per_label: dict[str, float]


def coco_map(
    truth: Sequence[CocoBox], found: Sequence[CocoBox], image_ids: Sequence[int], labels: Sequence[str]
) -> Precision:
    """Compare detections with the truth, with at most 100 detections per picture, as COCO does."""
    dataset = {
        "images": [{"id": i} for i in image_ids],
        "categories": [{"id": i, "name": label} for i, label in enumerate(labels)],
        "annotations": [box.to_row() | {"id": n} for n, box in enumerate(truth, 1)],
    }
    return judge_dataset(dataset, found, dict(enumerate(labels)))


def judge_dataset(dataset: dict[str, Any], found: Sequence[CocoBox], labels: dict[int, str]) -> Precision:
    """Compare detections with a COCO dataset; `labels` are its categories by id, and the boxes have these ids."""
    if not found:
        return Precision(0.0, 0.0, {})
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress.
        truth = COCO()
        truth.dataset = dataset
        truth.createIndex()
        judged = COCOeval(truth, truth.loadRes([box.to_row() for box in found]), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    precision = judged.eval["precision"][:, :, :, 0, -1]  # IoU, recall, label, all areas, 100 detections
    per_label = {
        labels[category]: float(np.mean(precision[:, :, i]))
        for i, category in enumerate(judged.params.catIds)
        if (precision[:, :, i] > -1).any()
    }
    return Precision(float(judged.stats[1]), float(judged.stats[0]), per_label)


@dataclass(frozen=True)
class Evaluation:
    """The precision of a model on pictures, and its median time of `detect`, letterboxing included, per picture."""

    pictures: int
    precision: Precision
    median_ms: float

    def to_json(self) -> dict[str, Any]:
        """The evaluation as a model's card has it."""
        return {
            "pictures": self.pictures,
            "map50": round(self.precision.map50, 4),
            "map50_95": round(self.precision.map50_95, 4),
            "per_label": {label: round(value, 4) for label, value in self.precision.per_label.items()},
            "detect_median_ms": round(self.median_ms, 1),
        }


def evaluate(detector: Detector, annotations: Path, pictures: Path) -> Evaluation:
    """Measure COCO mAP of a detector on annotated pictures.

    `annotations` is a COCO file; its categories are matched with the model's labels by name. Raises PicturesError when
    the file cannot be read, a picture is missing, or no category is a label.
    """
    dataset = read_annotations(annotations)
    category_of, names = match_categories(dataset, detector.card.labels, str(annotations))
    found, times = [], []
    for image in dataset["images"]:
        picture = read_picture(pictures / image["file_name"])
        start = time.perf_counter()
        result = detector.detect(picture, confidence=CONFIDENCE, iou=IOU)
        times.append((time.perf_counter() - start) * 1000)
        rows = zip(result.class_ids.tolist(), result.boxes, result.scores, strict=True)
        found += [CocoBox(image["id"], category_of[c], b, float(s)) for c, b, s in rows if c in category_of]
    return Evaluation(len(times), judge_dataset(dataset, found, names), statistics.median(times))


def match_categories(
    dataset: dict[str, Any], labels: Sequence[str], file: str = "the annotations file"
) -> tuple[dict[int, int], dict[int, str]]:
    """The category of each class id, by name, and the categories by id; raises PicturesError when none is a label."""
    ids = {category["name"]: int(category["id"]) for category in dataset["categories"]}
    category_of = {index: ids[label] for index, label in enumerate(labels) if label in ids}
    if not category_of:
        raise PicturesError(f"{file} has none of the model's labels among its categories: {', '.join(ids)[:200]}")
    return category_of, {number: name for name, number in ids.items()}


def read_annotations(file: Path) -> dict[str, Any]:
    """Read a COCO annotation file; raises PicturesError."""
    try:
        dataset = json.loads(file.read_bytes())
        if not all(isinstance(dataset[part], list) for part in ("images", "annotations", "categories")):
            raise ValueError("images, annotations and categories must be lists")
        needed = {"images": ("id", "file_name"), "annotations": ("image_id", "category_id", "bbox"),
                  "categories": ("id", "name")}  # fmt: skip
        for part, names in needed.items():
            _ = [entry[name] for entry in dataset[part] for name in names]
        if not dataset["images"]:
            raise ValueError("it lists no picture")
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise PicturesError(f"{file} is not a COCO annotation file ({exc})") from None
    return {"info": {}, **dataset}


def read_picture(file: Path) -> Picture:
    """Decode a picture as the service does; raises PicturesError when it is missing or broken."""
    try:
        data = file.read_bytes()
        return decode(data, judge(data, name=str(file), max_pixels=MAX_PIXELS), name=str(file))
    except (OSError, DetectionError) as exc:
        raise PicturesError(f"{file} cannot be used: {exc}") from None
