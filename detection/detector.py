"""From a picture to detections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detection.card import ModelCard
from detection.engine import Engine
from detection.errors import UnknownLabel
from detection.letterbox import fit
from detection.postprocess import maps_to_candidates, nms
from detection.types import Detections, Integers, Picture


class Detector:
    """A model and the engine that runs it."""

    def __init__(self, card: ModelCard, engine: Engine) -> None:
        self.card = card
        self._engine = engine
        self._anchors = np.array(card.anchors, np.float32)
        self._class_ids: dict[str, list[int]] = {}
        for index, label in enumerate(card.labels):
            self._class_ids.setdefault(label, []).append(index)

    def class_ids(self, labels: list[str] | None) -> Integers | None:
        """All ids of labels, None for every class; raises UnknownLabel when the model has no such label."""
        if labels is None:
            return None
        unknown = [label for label in labels if label not in self._class_ids]
        if unknown:
            known = ", ".join(self.card.labels)
            raise UnknownLabel(f"classes: {unknown[0][:100]!r} is not a label of {self.card.name}; known are {known}")
        return np.array([index for label in labels for index in self._class_ids[label]], np.int64)

    def detect(
        self, picture: Picture, *, confidence: float, iou: float, class_ids: Integers | None = None
    ) -> Detections:
        """Find objects in (H, W, 3) uint8 BGR: letterbox, network, decoding, class-aware NMS.

        Boxes are pixels of `picture`; only `class_ids` are looked for, when given.
        """
        height, width = picture.shape[:2]
        box = fit(width, height, self.card.input_size, self.card.stride)
        with self._engine.infer(box.apply(picture)) as maps:
            found = maps_to_candidates(maps, self._anchors, self.card.strides, confidence)
        candidates = Detections(*found, self.card.labels)
        if class_ids is not None:
            candidates = candidates.select(np.isin(candidates.class_ids, class_ids))
        kept = candidates.select(nms(candidates.boxes, candidates.scores, candidates.class_ids, iou))
        return replace(kept, boxes=box.to_source(kept.boxes))
