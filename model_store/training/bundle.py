"""`python -m model_store.training.bundle [CHECKPOINT]`: make the bundled model from a finished run, and judge it."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import cv2

from detection.card import CARD, ModelCard, read_card
from detection.detector import Detector
from detection.images import decode, judge
from detection.openvino import OpenVINOEngine
from model_store.calibration import SCENES, gathered
from model_store.convert import from_checkpoint
from model_store.evaluate import CONFIDENCE, IOU, CocoBox, Precision, coco_map
from model_store.quantise import quantise
from model_store.store import BUNDLED, TRAINED, copy_model
from scenes.render import HELD_OUT_SEEDS, LABELS, render_scene

NAME = "yolov7-tiny-scenes"


def main(arguments: list[str] | None = None) -> int:
    """Convert, judge on the held-out scenes, and put the files in place; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m model_store.training.bundle", description=__doc__)
    parser.add_argument(
        "checkpoint",
        type=Path,
        nargs="?",
        help="final.pt of a training run; run.csv beside it is copied, too. Without it, the model is quantised again",
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.checkpoint:
            from_checkpoint(options.checkpoint, folder, name=NAME)
            keep(folder, TRAINED)
            shutil.copyfile(options.checkpoint.parent / "run.csv", Path(__file__).parent / "run.csv")
        copy_model(TRAINED, folder)
        with gathered(SCENES) as calibration:
            quantise(folder, calibration.folder, calibration.annotations)
        keep(folder, BUNDLED)
    return 0


def keep(folder: Path, place: Path) -> None:
    """Judge the model in a folder and put it in its place."""
    card = judged(folder)
    (folder / CARD).write_text(card.model_dump_json(indent=2) + "\n")
    place.mkdir(exist_ok=True)
    copy_model(folder, place)
    print(f"{place}: {card.evaluation}")


def judged(folder: Path) -> ModelCard:
    """A model folder's card with its evaluation on the held-out scenes."""
    card = read_card(folder)
    result = judge_held_out(Detector(card, OpenVINOEngine(folder)))
    evaluation = {
        "data": f"{len(HELD_OUT_SEEDS)} held-out scenes, seeds {HELD_OUT_SEEDS.start} to {HELD_OUT_SEEDS.stop - 1}",
        "map50": round(result.map50, 4),
        "map50_95": round(result.map50_95, 4),
        "per_label": {label: round(value, 4) for label, value in result.per_label.items()},
    }
    return card.model_copy(update={"evaluation": evaluation})


def judge_held_out(detector: Detector) -> Precision:
    """mAP of a detector on the held-out scenes as JPEG files, decoded and detected as in the service."""
    truth, found = [], []
    for seed in HELD_OUT_SEEDS:
        scene = render_scene(seed)
        _, data = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        picture = decode(
            data.tobytes(), judge(data.tobytes(), name=str(seed), max_pixels=scene.image.size), name=str(seed)
        )
        result = detector.detect(picture, confidence=CONFIDENCE, iou=IOU)
        truth += [CocoBox(seed, int(c), b) for c, b in zip(scene.class_ids, scene.boxes, strict=True)]
        rows = zip(result.class_ids, result.boxes, result.scores, strict=True)
        found += [CocoBox(seed, int(c), b, float(s)) for c, b, s in rows]
    return coco_map(truth, found, list(HELD_OUT_SEEDS), LABELS)


if __name__ == "__main__":
    sys.exit(main())
