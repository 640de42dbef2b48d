"""Quantise models to 8 bits with NNCF, calibrated on the user's own pictures, and measure the loss of precision."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino as ov

from detection.card import CARD, NETWORK, WEIGHTS, ModelCard, read_card
from detection.detector import Detector
from detection.letterbox import fit
from detection.openvino import OpenVINOEngine
from detection.types import Picture
from model_store.calibration import calibration_files
from model_store.evaluate import CONFIDENCE, IOU, TRUTH_CONFIDENCE, CocoBox, coco_map, evaluate, read_picture
from model_store.export import save
from model_store.store import content_version


def quantise(folder: Path, pictures: Path, annotations: Path | None = None) -> ModelCard:
    """Replace a folder's model by its 8-bit form and write both forms' precision into its card.

    With COCO `annotations` of the pictures, the precision is mAP against them. Without, it is the agreement with
    the model before quantisation. Raises PicturesError when there are too few pictures, or one is broken.
    """
    card = read_card(folder)
    files = calibration_files(pictures)
    before = _judge(Detector(card, OpenVINOEngine(folder)), files, annotations, pictures)
    truth = None if annotations else _detections(Detector(card, OpenVINOEngine(folder)), files, TRUTH_CONFIDENCE)
    to_int8(folder, files)
    after = _judge(Detector(card, OpenVINOEngine(folder)), files, annotations, pictures, truth)
    measure = "COCO annotations" if annotations else "agreement with the unquantised model's detections"
    evaluation = {"calibrated_on": len(files), "measure": measure, "before": before, "after": after}
    card = card.model_copy(update={"precision": "int8", "evaluation": evaluation})
    card = card.model_copy(update={"version": content_version(folder, card)})
    (folder / CARD).write_text(card.model_dump_json(indent=2) + "\n")
    return card


def to_int8(folder: Path, files: Sequence[Path]) -> None:
    """Replace the network and the weights of a folder by their 8-bit form, calibrated on pictures; not the card."""
    card = read_card(folder)
    nncf.set_log_level(logging.ERROR)
    model = nncf.quantize(
        ov.Core().read_model(folder / NETWORK),
        nncf.Dataset(files, lambda file: _to_input(read_picture(file), card)),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(files),
    )
    # OpenVINO still reads the weights from the old file: the new file may replace it, but must not overwrite it.
    with tempfile.TemporaryDirectory(dir=folder) as name:
        save(model, Path(name), "fp16")
        for file in (NETWORK, WEIGHTS):
            os.replace(Path(name) / file, folder / file)


def _to_input(picture: Picture, card: ModelCard) -> Picture:
    """A picture as the network's input: (1, H, W, 3)."""
    height, width = picture.shape[:2]
    return fit(width, height, card.input_size, card.stride).apply(picture)[np.newaxis]


def _judge(
    detector: Detector,
    files: Sequence[Path],
    annotations: Path | None,
    pictures: Path,
    truth: list[CocoBox] | None = None,
) -> dict[str, Any] | None:
    """The precision of a detector for the card, against annotations or other detections; None without both."""
    if annotations is not None:
        return evaluate(detector, annotations, pictures).to_json()
    if truth is None:
        return None
    found = _detections(detector, files, CONFIDENCE)
    result = coco_map(truth, found, range(len(files)), detector.card.labels)
    return {"map50": round(result.map50, 4), "map50_95": round(result.map50_95, 4)}


def _detections(detector: Detector, files: Sequence[Path], confidence: float) -> list[CocoBox]:
    boxes = []
    for number, file in enumerate(files):
        found = detector.detect(read_picture(file), confidence=confidence, iou=IOU)
        rows = zip(found.class_ids.tolist(), found.boxes, found.scores, strict=True)
        boxes += [CocoBox(number, c, b, float(s)) for c, b, s in rows]
    return boxes
