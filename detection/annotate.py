"""Draw detections on a picture so that they can be read at every size."""

from __future__ import annotations

import cv2
import numpy as np

from detection.types import Detections, Picture

Rectangle = tuple[int, int, int, int]  # left, top, right, bottom, pixels
Colour = tuple[int, int, int]  # BGR

# Twenty hues that stay apart on photographs (Sasha Trubetskoy's list, without black and white).
_PALETTE = (
    "e6194b 3cb44b ffe119 4363d8 f58231 911eb4 42d4f4 f032e6 bfef45 fabed4 "
    "469990 dcbeff 9a6324 fffac8 800000 aaffc3 808000 ffd8b1 000075 a9a9a9"
).split()

SMALLEST_TEXT = 11  # pixels; below this the glyphs run together
FONT_WEIGHT = 500


def colour_of(class_id: int) -> Colour:
    """The colour of a class, BGR; the same in every picture."""
    red, green, blue = bytes.fromhex(_PALETTE[class_id % len(_PALETTE)])
    return blue, green, red


def annotate(canvas: Picture, detections: Detections) -> None:
    """Draw a box and a label per detection on (H, W, 3) uint8 BGR; line and text grow with the size."""
    height, width = canvas.shape[:2]
    thickness, size = sizes(width, height)
    order = range(len(detections) - 1, -1, -1)  # The most confident is drawn last, on top.
    for index in order:
        left, top, right, bottom = _pixels(detections, index, width, height)
        cv2.rectangle(canvas, (left, top), (right, bottom), colour_of(int(detections.class_ids[index])), thickness)
    font = cv2.FontFace("sans")
    taken: list[Rectangle] = []
    for index in reversed(order):
        _draw_label(canvas, detections, index, font, size, thickness, taken)


def sizes(width: int, height: int) -> tuple[int, int]:
    """Thickness of lines and height of text for a picture of this size, all in pixels.

    Both are bounded by the short side too: drawing a glyph takes time that grows with the square of its size, and in a
    picture of 1 x 300,000 pixels nobody could read it.
    """
    short, sides = min(width, height), width + height
    return max(1, min(round(sides / 450), short // 40)), max(SMALLEST_TEXT, min(round(sides / 75), short // 12))


def _pixels(detections: Detections, index: int, width: int, height: int) -> Rectangle:
    x1, y1, x2, y2 = (int(v) for v in np.rint(detections.boxes[index]))
    return min(x1, width - 1), min(y1, height - 1), min(x2, width - 1), min(y2, height - 1)


def _draw_label(
    canvas: Picture,
    detections: Detections,
    index: int,
    font: cv2.FontFace,
    size: int,
    thickness: int,
    taken: list[Rectangle],
) -> None:
    """Write one label on a filled plate where no earlier label stands, if there is such a place."""
    height, width = canvas.shape[:2]
    name = detections.label(index)
    for text in (f"{name} {detections.scores[index]:.2f}", name):
        extent = _text_size(font, text, size)
        if extent[0] + size <= width:
            break
    plate = extent[0] + size // 2, size + size // 2
    box = _pixels(detections, index, width, height)
    left, top = _free_place(box, plate, thickness, (width, height), taken)
    taken.append((left, top, left + plate[0], top + plate[1]))
    colour = colour_of(int(detections.class_ids[index]))
    cv2.rectangle(canvas, (left, top), (left + plate[0], top + plate[1]), colour, cv2.FILLED)
    ink = (0, 0, 0) if np.dot(colour, (0.114, 0.587, 0.299)) > 140 else (255, 255, 255)
    cv2.putText(canvas, text, (left + size // 4, top + size + size // 10), ink, font, size, FONT_WEIGHT)


def _text_size(font: cv2.FontFace, text: str, size: int) -> tuple[int, int]:
    _, _, width, height = cv2.getTextSize((100_000, 1000), text, (0, 500), font, size, FONT_WEIGHT)
    return int(width), int(height)


def _free_place(
    box: Rectangle, plate: tuple[int, int], thickness: int, canvas: tuple[int, int], taken: list[Rectangle]
) -> tuple[int, int]:
    """Above the box, inside its top, below it, or inside its bottom: the first that hides no other label."""
    half = thickness // 2
    rows = (box[1] - plate[1] - half, box[1] + half, box[3] + half, box[3] - plate[1] - half)
    places = []
    for x in (box[0] - half, box[2] - plate[0] + half):
        for y in rows:
            left, top = max(0, min(x, canvas[0] - plate[0] - 1)), max(0, min(y, canvas[1] - plate[1] - 1))
            places.append((left, top, left + plate[0], top + plate[1]))
    free = [p for p in places if not any(_overlap(p, t) for t in taken)]
    return (free or places)[0][:2]


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
