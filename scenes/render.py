"""Rendered scenes with known boxes: the data of the bundled model. Equal seeds give equal scenes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from scenes.patterns import PATTERNS, Colour, Image, background, contrast, hsv_colour, paint, pattern
from scenes.silhouettes import LABELS, SILHOUETTES, Part

__all__ = [
    "ASPECTS",
    "HELD_OUT_SEEDS",
    "LABELS",
    "TRAIN_SEEDS",
    "VALIDATION_SEEDS",
    "Scene",
    "render_scene",
    "scene_size",
    "write_coco",
]

HELD_OUT_SEEDS = range(500)
"""For the evaluation of the finished model only: no decision during training may depend on these scenes."""
VALIDATION_SEEDS = range(10_000, 10_500)
TRAIN_SEEDS = range(1_000_000, 1_000_000_000)

ASPECTS = ((4, 3), (3, 4), (1, 1), (16, 9), (3, 2), (2, 3))
"""Width and height of a scene. The seed modulo their number selects one, so a batch of one shape needs no search."""
LONG_SIDES = (320, 640)

MIN_VISIBLE = 0.5
"""A new object is placed only if at least this share of every object remains visible."""
MIN_INSIDE = 0.65
"""At least this share of an object is inside the picture. Other objects may later cover more of it."""
MIN_CONTRAST = 150.0

_FIXED_POINT_BITS = 4


@dataclass(frozen=True)
class Scene:
    """A picture, (H, W, 3) uint8 BGR, and its objects: boxes (N, 4) float32 x1, y1, x2, y2 in pixels, class ids (N,).

    A box encloses the visible pixels of its object tightly; x2 and y2 are one past the last pixel.
    """

    image: Image
    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int64]


@dataclass(frozen=True)
class _Stamp:
    """An object ready to paint: a patch with coverage 0..255, outlines and parts, and its top left corner."""

    left: int
    top: int
    alpha: Image
    outlines: list[list[NDArray[np.int32]]]
    parts: tuple[Part, ...]

    def clip(self, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The slices (rows, columns) of the picture and of the patch in which both overlap."""
        y1, x1 = max(self.top, 0), max(self.left, 0)
        y2, x2 = min(self.top + self.alpha.shape[0], height), min(self.left + self.alpha.shape[1], width)
        patch = (slice(y1 - self.top, y2 - self.top), slice(x1 - self.left, x2 - self.left))
        return (slice(y1, y2), slice(x1, x2)), patch


def scene_size(seed: int, long_side: int) -> tuple[int, int]:
    """Height and width, in pixels, of a seed's scene with a given long side."""
    across, down = ASPECTS[seed % len(ASPECTS)]
    return round(long_side * down / max(across, down)), round(long_side * across / max(across, down))


def render_scene(seed: int, long_side: int | None = None) -> Scene:
    """Render a seed's scene, with noise and JPEG artefacts; without a long side, in pixels, the seed decides it."""
    rng = np.random.default_rng(seed)
    own_side = int(rng.integers(LONG_SIDES[0], LONG_SIDES[1] + 1))
    height, width = scene_size(seed, long_side or own_side)
    image = background(rng, height, width)
    owner = np.full((height, width), -1, np.int16)
    areas: list[int] = []
    class_ids: list[int] = []
    wanted = int(rng.integers(1, 9))
    for _ in range(2 * wanted):
        if len(areas) == wanted:
            break
        class_id = int(rng.integers(len(LABELS)))
        stamp = _place(rng, class_id, height, width)
        area = _claim(stamp, owner, areas)
        if area:
            areas.append(area)
            class_ids.append(class_id)
            _paint(rng, image, stamp)
    boxes = np.array([_box(owner == index) for index in range(len(areas))], np.float32).reshape(-1, 4)
    return Scene(_degrade(rng, image), boxes, np.array(class_ids, np.int64))


def _place(rng: Generator, class_id: int, height: int, width: int) -> _Stamp:
    """An object of random size, proportions, rotation and position, as a stamp without colours."""
    side = max(height, width)
    radius = side * float(np.exp(rng.uniform(np.log(0.055), np.log(0.23))))
    turn, stretch = np.radians(np.clip(rng.normal(0, 22), -60, 60)), np.exp(rng.uniform(-0.14, 0.14))
    flip = rng.choice((-1.0, 1.0))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag(
        [flip * radius * stretch, radius / stretch]
    )
    parts = SILHOUETTES[class_id]
    margin = 0.6 * radius
    centre = np.array([rng.uniform(margin, width - margin), rng.uniform(margin, height - margin)])
    drawn = [[contour @ matrix.T + centre for contour in part.contours] for part in parts]
    corners = np.concatenate([contour for contours in drawn for contour in contours])
    left, top = np.floor(corners.min(0)).astype(int) - 2
    right, bottom = np.ceil(corners.max(0)).astype(int) + 3
    # Pixel centres have whole coordinates in OpenCV's drawing functions, hence the half.
    origin = np.array([left + 0.5, top + 0.5])
    outlines = [[np.rint((c - origin) * 2**_FIXED_POINT_BITS).astype(np.int32) for c in cs] for cs in drawn]
    alpha = np.zeros((bottom - top, right - left), np.uint8)
    for contours in outlines:
        cv2.fillPoly(alpha, contours, 255, cv2.LINE_AA, _FIXED_POINT_BITS)
    if rng.random() < 0.35:
        alpha = np.asarray(cv2.dilate(alpha, np.ones((3, 3), np.uint8)), np.uint8)
    return _Stamp(int(left), int(top), alpha, outlines, parts)


def _claim(stamp: _Stamp, owner: NDArray[np.int16], areas: list[int]) -> int:
    """Enter the stamp into the owner map and return its area, or return 0 if it would hide too much."""
    place, patch = stamp.clip(*owner.shape)
    covered = stamp.alpha >= 128
    seen = covered[patch]
    area = int(covered.sum())
    if seen.sum() < MIN_INSIDE * area:
        return 0
    below = np.bincount(owner[place][seen].astype(np.int64) + 1, minlength=len(areas) + 1)[1:]
    for index in np.flatnonzero(below):
        if (owner == index).sum() - below[index] < MIN_VISIBLE * areas[index]:
            return 0
    owner[place][seen] = len(areas)
    return area


def _paint(rng: Generator, image: Image, stamp: _Stamp) -> None:
    """Colour the stamp in contrast to the picture beneath, and blend it into the picture in place."""
    place, patch = stamp.clip(*image.shape[:2])
    height, width = stamp.alpha.shape
    beneath = np.array(cv2.mean(image[place], stamp.alpha[patch])[:3], np.float32)
    body, second, accent = (_colour(rng, beneath) for _ in range(3))
    kind = rng.choice(PATTERNS, p=(0.3, 0.25, 0.15, 0.1, 0.1, 0.1))
    dim = float(beneath.mean()) < 80
    tones = {
        "accent": accent,
        "dark": np.full(3, 110 if dim else 40, np.float32),
        "light": np.full(3, 238, np.float32),
    }
    period = max(5.0, max(height, width) * rng.uniform(0.12, 0.35))
    texture = paint(pattern(rng, kind, height, width, period), body, second)
    # The rim is visible only if the stamp was dilated: then its coverage is wider than its parts.
    rim = body * 0.45 if not dim else 255 - (255 - body) * 0.4
    colours = np.empty((height, width, 3), np.uint8)
    colours[:] = rim.astype(np.uint8)
    for part, contours in zip(stamp.parts, stamp.outlines, strict=True):
        if part.tone == "body":
            cover = np.zeros((height, width), np.uint8)
            cv2.fillPoly(cover, contours, 255, cv2.LINE_AA, _FIXED_POINT_BITS)
            _blend(colours, texture, cover)
        else:
            cv2.fillPoly(colours, contours, tones[part.tone].tolist(), cv2.LINE_AA, _FIXED_POINT_BITS)
    if rng.random() < 0.4:
        _shade(rng, image, stamp)
    _blend(image[place], colours[patch], stamp.alpha[patch])


def _blend(target: Image, source: Image | Colour, alpha: Image) -> None:
    weight = alpha.astype(np.uint16)[..., None]
    target[:] = (target * (255 - weight) + np.asarray(source).astype(np.uint16) * weight + 127) // 255


def _shade(rng: Generator, image: Image, stamp: _Stamp) -> None:
    """Darken the picture, in place, by a soft shadow of the stamp."""
    reach = max(2, round(max(image.shape) * 0.012))
    soft = cv2.blur(np.pad(stamp.alpha, reach), (reach, reach))
    shift = int(rng.integers(1, reach + 1))
    shadow = _Stamp(stamp.left - reach + shift, stamp.top - reach + shift, np.asarray(soft, np.uint8), [], ())
    place, patch = shadow.clip(*image.shape[:2])
    _blend(image[place], np.zeros(3, np.float32), (shadow.alpha[patch] * 0.35).astype(np.uint8))


def _colour(rng: Generator, beneath: Colour) -> Colour:
    """A vivid colour with a contrast of at least MIN_CONTRAST to the one beneath, or the best of eight."""
    best, best_contrast = beneath, -1.0
    for _ in range(8):
        colour = hsv_colour(rng.random(), rng.uniform(0.45, 1), rng.uniform(0.4, 1))
        distance = contrast(colour, beneath)
        if distance > best_contrast:
            best, best_contrast = colour, distance
        if distance >= MIN_CONTRAST:
            break
    return best


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@cache
def _noise_tile() -> NDArray[np.float32]:
    """A tile of normal noise; drawing new noise for each scene would take longer than the rest of the rendering."""
    return np.random.default_rng(7).standard_normal((1024, 1024, 3), np.float32)


def _degrade(rng: Generator, image: Image) -> Image:
    """Add blur, exposure, sensor noise and JPEG artefacts of random strength."""
    height, width = image.shape[:2]
    scale = max(height, width) / 320
    if rng.random() < 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), scale * rng.uniform(0.3, 0.9)), np.uint8)
    gain, offset = rng.uniform(0.85, 1.12), rng.uniform(-12, 12)
    sigma = rng.choice((0.0, rng.uniform(1, 12)))
    top, left = rng.integers(0, 1024 - height), rng.integers(0, 1024 - width)
    noise = _noise_tile()[top : top + height, left : left + width]
    image = np.asarray(cv2.addWeighted(image, gain, noise, sigma, offset, dtype=cv2.CV_8U), np.uint8)
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


def write_coco(folder: Path, seeds: Iterable[int]) -> Path:
    """Write the scenes as JPEG pictures (quality 95) with COCO boxes; returns the path of annotations.json.

    A category's id is its class id, counted from 0; an image's id is its seed; boxes are x, y, width, height in pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for seed in seeds:
        scene = render_scene(seed)
        name = f"{seed:06d}.jpg"
        cv2.imwrite(str(folder / name), scene.image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        height, width = scene.image.shape[:2]
        images.append({"id": seed, "file_name": name, "height": height, "width": width})
        for box, class_id in zip(scene.boxes.tolist(), scene.class_ids.tolist(), strict=True):
            x1, y1, x2, y2 = box
            annotation: dict[str, object] = {"id": len(annotations) + 1, "image_id": seed, "category_id": class_id}
            annotation |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0}
            annotations.append(annotation)
    categories = [{"id": index, "name": label} for index, label in enumerate(LABELS)]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path
