"""Measure COCO mAP during training, on scenes that neither the training nor the final judgement uses."""

from __future__ import annotations

import numpy as np
import torch

from detection.postprocess import maps_to_candidates, nms
from model_store.evaluate import CONFIDENCE, IOU, CocoBox, coco_map
from model_store.network.graph import Network
from model_store.training.batches import scene_to_input
from scenes.render import LABELS, VALIDATION_SEEDS, render_scene

SCENES = 100


def judge(network: Network, size: int, stride: int, scenes: int = SCENES) -> tuple[float, float]:
    """mAP@.5 and mAP@.5:.95 of a network on the first validation scenes, letterboxed to `size` pixels."""
    folded = network.fused()
    head = folded.head
    anchors = head.anchor_grid.flatten(1, 4).numpy()
    truth: list[CocoBox] = []
    found: list[CocoBox] = []
    for seed in VALIDATION_SEEDS[:scenes]:
        picture, rows = scene_to_input(render_scene(seed), size, stride)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            maps = folded(picture[None].float() / 255)
        boxes, scores, ids = maps_to_candidates([m[0].float().numpy() for m in maps], anchors, head.strides, CONFIDENCE)
        kept = nms(boxes, scores, ids, IOU)
        found += [CocoBox(seed, int(ids[i]), boxes[i], float(scores[i])) for i in kept]
        for class_id, x, y, width, height in rows.numpy():
            corners = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
            truth.append(CocoBox(seed, int(class_id), corners))
    result = coco_map(truth, found, list(VALIDATION_SEEDS[:scenes]), LABELS)
    return result.map50, result.map50_95
