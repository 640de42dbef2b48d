"""Fit a picture of any shape into the smallest rectangle that the network accepts."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from detection.types import Floats, Picture

PADDING = 114  # The grey the published networks were trained with.


@dataclass(frozen=True)
class Letterbox:
    """Where a picture lies inside the network's input; sizes and offsets in pixels of that input.

    `width` and `height` are the whole input, `inner_*` the resized picture, `left` and `top` its offset.
    """

    source_width: int
    source_height: int
    inner_width: int
    inner_height: int
    left: int
    top: int
    width: int
    height: int

    def apply(self, picture: Picture) -> Picture:
        """Resize and pad a picture, (H, W, 3) uint8, to (height, width, 3)."""
        if (self.inner_height, self.inner_width) != picture.shape[:2]:
            picture = np.asarray(
                cv2.resize(picture, (self.inner_width, self.inner_height), interpolation=cv2.INTER_LINEAR), np.uint8
            )
        canvas = np.full((self.height, self.width, 3), PADDING, np.uint8)
        canvas[self.top : self.top + self.inner_height, self.left : self.left + self.inner_width] = picture
        return canvas

    def to_source(self, boxes: Floats) -> Floats:
        """Map boxes (N, 4), x1 y1 x2 y2 in input pixels, to pixels of the source picture, clipped to it."""
        offset = np.array([self.left, self.top] * 2, np.float32)
        gain = np.array([self.source_width / self.inner_width, self.source_height / self.inner_height] * 2, np.float32)
        limit = np.array([self.source_width, self.source_height] * 2, np.float32)
        return np.asarray(np.clip((boxes - offset) * gain, 0, limit), np.float32)


def fit(width: int, height: int, size: int, stride: int) -> Letterbox:
    """Scale so that the long side is `size`, then pad both sides to the smallest multiple of `stride`.

    Half the padding goes on each side, the odd pixel to the right and the bottom, as the published detector does it.
    """
    scale = min(size / width, size / height)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    pad_x, pad_y = -inner_width % stride, -inner_height % stride
    return Letterbox(
        source_width=width,
        source_height=height,
        inner_width=inner_width,
        inner_height=inner_height,
        left=pad_x // 2,
        top=pad_y // 2,
        width=inner_width + pad_x,
        height=inner_height + pad_y,
    )
