"""The accuracy of the bundled model on the held-out scenes by COCO's code, over S3, HTTP and all five steps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from detection.card import read_card
from local.doors import LocalService
from local.s3 import LocalS3
from model_store.evaluate import CONFIDENCE, IOU, CocoBox, coco_map
from scenes.render import HELD_OUT_SEEDS, LABELS, render_scene
from tests.conftest import BUNDLED, predict, to_jpeg, upload

pytestmark = pytest.mark.slow


def judged(seed: int, service: LocalService, s3: LocalS3) -> tuple[list[CocoBox], list[CocoBox]]:
    """The true boxes of a scene, and the boxes that the service finds in it."""
    scene = render_scene(seed)
    key = upload(s3, f"held-out/{seed}.jpg", to_jpeg(scene.image))
    answer = predict(service, {"filename": key, "confidence": CONFIDENCE, "iou": IOU, "annotate": False})
    assert answer.status == 200, answer.body
    found = [
        CocoBox(seed, d["class_id"], np.array(list(d["box"].values())), d["confidence"])
        for d in answer.json["detections"]
    ]
    return [CocoBox(seed, int(c), b) for c, b in zip(scene.class_ids, scene.boxes, strict=True)], found


def test_the_bundled_model_reaches_the_accuracy_in_its_card(service: LocalService, s3: LocalS3) -> None:
    with ThreadPoolExecutor(3) as pool:
        pairs = list(pool.map(lambda seed: judged(seed, service, s3), HELD_OUT_SEEDS))
    truth = [box for pair in pairs for box in pair[0]]
    result = coco_map(truth, [box for pair in pairs for box in pair[1]], list(HELD_OUT_SEEDS), LABELS)
    assert result.map50 >= 0.90
    assert result.map50_95 >= 0.70
    evaluation = read_card(BUNDLED).evaluation
    assert evaluation is not None
    # The result depends slightly on the arithmetic of the processor.
    assert result.map50_95 == pytest.approx(evaluation["map50_95"], abs=0.01)
