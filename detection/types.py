"""The values that pass between the steps of a detection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Detections:
    """What was found in one picture, most confident first.

    `boxes` is (N, 4) float32, x1 y1 x2 y2 in pixels of the upright picture; `scores` is (N,) float32 in 0..1;
    `class_ids` is (N,) int64, an index into `labels`. Raises ValueError when the shapes do not agree.
    """

    boxes: Floats
    scores: Floats
    class_ids: Integers
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.boxes)
        for name, array, shape in (
            ("boxes", self.boxes, (count, 4)),
            ("scores", self.scores, (count,)),
            ("class_ids", self.class_ids, (count,)),
        ):
            if array.shape != shape:
                raise ValueError(f"{name} must have shape {shape}, but has {array.shape}")
        if count and not 0 <= self.class_ids.min() <= self.class_ids.max() < len(self.labels):
            raise ValueError(f"class_ids must lie in 0..{len(self.labels) - 1}, but are {self.class_ids.tolist()}")

    def __len__(self) -> int:
        return len(self.boxes)

    def select(self, rows: Integers | NDArray[np.bool_]) -> Detections:
        """Keep some detections: indices in their new order, or a boolean mask of shape (N,)."""
        return Detections(self.boxes[rows], self.scores[rows], self.class_ids[rows], self.labels)

    def label(self, index: int) -> str:
        """The label of one detection."""
        return self.labels[int(self.class_ids[index])]
