"""The pictures that judge the precisions of a model: a folder, annotated or not, or rendered scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_store.calibration import calibration_files, spread_evenly
from model_store.evaluate import (
    TRUTH_CONFIDENCE,
    CocoBox,
    Precision,
    coco_map,
    judge_dataset,
    match_categories,
    read_annotations,
)
from scenes.render import HELD_OUT_SEEDS, LABELS, write_coco


@dataclass(frozen=True)
class Pictures:
    """Files of pictures; with annotations a COCO dataset, whose images are these files in this order."""

    files: tuple[Path, ...]
    dataset: dict[str, Any] | None = None

    def can_judge(self, reference: Sequence[CocoBox]) -> bool:
        """Whether there are annotations, or the reference finds something to agree with; random weights do not."""
        return self.dataset is not None or any(box.score >= TRUTH_CONFIDENCE for box in reference)

    def judge(self, found: Sequence[CocoBox], reference: Sequence[CocoBox], labels: Sequence[str]) -> Precision | None:
        """mAP of detections, whose image ids are places in `files`: by the annotations, else agreement with others.

        None when the reference finds nothing, so there is nothing to agree with. Raises PicturesError when no
        category of the annotations is a label.
        """
        if self.dataset is None:
            truth = [replace(box, score=1.0) for box in reference if box.score >= TRUTH_CONFIDENCE]
            return coco_map(truth, found, range(len(self.files)), labels) if truth else None
        category_of, names = match_categories(self.dataset, labels)
        ids = [image["id"] for image in self.dataset["images"]]
        boxes = [
            replace(box, image_id=ids[box.image_id], class_id=category_of[box.class_id])
            for box in found
            if box.class_id in category_of
        ]
        return judge_dataset(self.dataset, boxes, names)


# At most as many pictures as asked for.
Source = Callable[[int], Pictures]


def from_scenes(folder: Path, labels: Sequence[str]) -> Source:
    """Held-out scenes, written into a folder; annotated for a model with their labels."""

    def source(most: int) -> Pictures:
        annotations = write_coco(folder, HELD_OUT_SEEDS[:most])
        pictures = _annotated(read_annotations(annotations), folder, most)
        return pictures if tuple(labels) == tuple(LABELS) else replace(pictures, dataset=None)

    return source


def from_folder(folder: Path, annotations: Path | None, labels: Sequence[str]) -> Source:
    """Pictures of a folder, spread evenly over it; raises PicturesError for too few, or wrong annotations."""
    if annotations is None:
        files = calibration_files(folder)
        return lambda most: Pictures(tuple(files[i] for i in spread_evenly(len(files), most)))
    dataset = read_annotations(annotations)
    match_categories(dataset, labels, str(annotations))
    return lambda most: _annotated(dataset, folder, most)


def _annotated(dataset: dict[str, Any], folder: Path, most: int) -> Pictures:
    images = [dataset["images"][i] for i in spread_evenly(len(dataset["images"]), most)]
    ids = {image["id"] for image in images}
    boxes = [box for box in dataset["annotations"] if box["image_id"] in ids]
    files = tuple(folder / image["file_name"] for image in images)
    return Pictures(files, {**dataset, "images": images, "annotations": boxes})
