"""From the network's logits to boxes: decoding and non-maximum suppression, in numpy.

Decoding is not part of the exported model because it must be exact: on many processors the network runs in bfloat16,
where a coordinate near 1000 pixels has steps of 4. It is also cheap here, because only the few cells whose objectness
passes the threshold are decoded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detection.types import Floats, Integers

MAX_CANDIDATES = 30_000
MAX_DETECTIONS = 300


def maps_to_candidates(
    maps: Sequence[Floats], anchors: Floats, strides: Sequence[int], confidence: float
) -> tuple[Floats, Floats, Integers]:
    """Decode the logits of one picture into candidate boxes, in the published order: scale, anchor, row, column.

    `maps` holds per scale (A * (5 + C), H, W) float32; `anchors` is (S, A, 2), width and height in pixels. Kept are
    boxes whose objectness and whose score (objectness * best class; objectness alone with one class) both exceed
    `confidence`. Returns boxes (N, 4) x1 y1 x2 y2 in input pixels, scores (N,) and class ids (N,).
    """
    with np.errstate(divide="ignore"):
        threshold = np.log(confidence) - np.log1p(-confidence)
    rows = [_scale_to_rows(m, a, s, threshold) for m, a, s in zip(maps, anchors, strides, strict=True)]
    boxes = np.concatenate([r[0] for r in rows])
    classes = np.concatenate([r[2] for r in rows])
    scores = np.concatenate([r[1] for r in rows])
    class_ids = classes.argmax(1).astype(np.int64)
    if classes.shape[1] > 1:
        scores = scores * classes.max(1)
    keep = scores > confidence
    return boxes[keep], scores[keep], class_ids[keep]


def _scale_to_rows(logits: Floats, anchors: Floats, stride: int, threshold: float) -> tuple[Floats, Floats, Floats]:
    """Boxes (N, 4), objectness (N,) and class scores (N, C) of the cells of one scale that pass the threshold."""
    count = len(anchors)
    grid = logits.reshape(count, -1, *logits.shape[1:])
    anchor, row, column = np.nonzero(grid[:, 4] > threshold)
    y = _sigmoid(grid[anchor, :, row, column])
    centre = (2 * y[:, :2] - 0.5 + np.stack([column, row], 1).astype(np.float32)) * stride
    half = (2 * y[:, 2:4]) ** 2 * anchors[anchor] / 2
    return np.concatenate([centre - half, centre + half], 1), y[:, 4], y[:, 5:]


def _sigmoid(x: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)), np.float32)


def nms(boxes: Floats, scores: Floats, class_ids: Integers, iou: float, limit: int = MAX_DETECTIONS) -> Integers:
    """Class-aware greedy non-maximum suppression.

    Returns the indices of at most `limit` boxes, most confident first; of the input, only the MAX_CANDIDATES most
    confident count. A box is dropped when it overlaps a kept one of its class by more than `iou`.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    while order.size and len(kept) < limit:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        corner = np.maximum(boxes[best, :2], boxes[rest, :2])
        size = np.maximum(np.minimum(boxes[best, 2:], boxes[rest, 2:]) - corner, 0)
        overlap = size[:, 0] * size[:, 1]
        union = areas[best] + areas[rest] - overlap
        order = rest[(overlap <= iou * union) | (class_ids[rest] != class_ids[best])]
    return np.array(kept, np.int64)
