"""Two-colour patterns, backgrounds and clutter: the parts of a scene that are not labelled objects."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Colour = NDArray[np.float32]

PATTERNS = ("flat", "gradient", "stripes", "checks", "dots", "noise")


def hsv_colour(hue: float, saturation: float, value: float) -> Colour:
    """Convert hue, saturation and value, each in 0..1, to a BGR colour in 0..255."""
    pixel = np.array([[[hue * 360 % 360, saturation, value]]], np.float32)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0] * 255, np.float32)


def contrast(first: Colour, second: Colour) -> float:
    """The visible difference of two BGR colours: a distance weighted by the eye's sensitivity, from 0 to about 765."""
    blue, green, red = (first - second) ** 2
    return float(np.sqrt(2.5 * blue + 4 * green + 2.5 * red))


def pattern(rng: Generator, kind: str, height: int, width: int, period: float) -> NDArray[np.float32]:
    """The share of the second colour at each pixel: (height, width) in 0..1. The period is in pixels."""
    if kind == "flat":
        return np.zeros((height, width), np.float32)
    if kind == "noise":
        grid = rng.random((max(2, int(height / period) + 2), max(2, int(width / period) + 2)), np.float32)
        smooth = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        return _unit(smooth)
    angle = rng.uniform(0, np.pi)
    x = np.arange(width, dtype=np.float32)[None] - width / 2
    y = np.arange(height, dtype=np.float32)[:, None] - height / 2
    u = (x * np.cos(angle) + y * np.sin(angle)).astype(np.float32)
    if kind == "gradient":
        return np.asarray(u / (abs(u[0, 0]) + abs(u[0, -1]) + 1e-3) + 0.5, np.float32).clip(0, 1)
    waves = u * np.float32(2 * np.pi / period)
    if kind == "stripes":
        return _unit(np.sin(waves) * 4 + 0.5)
    v = (y * np.cos(angle) - x * np.sin(angle)) * np.float32(2 * np.pi / period)
    if kind == "checks":
        return _unit(np.sin(waves) * np.sin(v) * 6 + 0.5)
    return _unit((np.cos(waves) + np.cos(v) - 0.9) * 3)


def _unit(values: Any) -> NDArray[np.float32]:
    return np.asarray(np.clip(values, 0, 1), np.float32)


def paint(share: NDArray[np.float32], first: Colour, second: Colour) -> Image:
    """Mix two BGR colours by the share of the second, (H, W) in 0..1, to an image (H, W, 3)."""
    steps = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    table = (first + (second - first) * steps).astype(np.uint8)
    return np.asarray(cv2.applyColorMap((share * 255).astype(np.uint8), table[:, None]), np.uint8)


def background(rng: Generator, height: int, width: int) -> Image:
    """A background (H, W, 3): a pattern in two muted colours, often with clutter, sometimes blurred."""
    value, hue = rng.uniform(0.15, 1.0), rng.random()
    first = hsv_colour(hue, rng.uniform(0.0, 0.5), value)
    second = hsv_colour(hue + rng.normal(0, 0.12), rng.uniform(0.0, 0.5), np.clip(value + rng.normal(0, 0.16), 0.1, 1))
    side = max(height, width)
    if rng.random() < 0.2:
        image = _blocks(rng, height, width, first, second)
    else:
        kind = rng.choice(PATTERNS, p=(0.1, 0.3, 0.1, 0.08, 0.07, 0.35))
        image = paint(pattern(rng, kind, height, width, side * rng.uniform(0.06, 0.4)), first, second)
    if rng.random() < 0.7:
        _clutter(rng, image)
    if rng.random() < 0.35:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), side / 320 * rng.uniform(0.8, 3)), np.uint8)
    return image


def _blocks(rng: Generator, height: int, width: int, first: Colour, second: Colour) -> Image:
    rows, columns = rng.integers(2, 8, 2)
    grid = paint(rng.random((rows, columns), np.float32), first, second)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _clutter(rng: Generator, image: Image) -> None:
    """Draw lines, ellipses, rectangles and triangles that belong to no class, in place."""
    height, width = image.shape[:2]
    side = max(height, width)
    for _ in range(rng.integers(1, 11)):
        colour = [float(c) for c in hsv_colour(rng.random(), rng.uniform(0, 0.8), rng.uniform(0.15, 1))]
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        reach = side * rng.uniform(0.03, 0.25, 2)
        turn, thickness = rng.uniform(0, 180), max(1, round(side / 320 * rng.uniform(0.7, 5)))
        filled = -1 if rng.random() < 0.5 else thickness
        kind = rng.integers(4)
        if kind == 0:
            end = (int(x + reach[0] * 3 * np.cos(turn)), int(y + reach[0] * 3 * np.sin(turn)))
            cv2.line(image, (int(x), int(y)), end, colour, thickness, cv2.LINE_AA)
        elif kind == 1:
            box = ((x, y), (2 * reach[0], 2 * reach[1]), turn)
            cv2.ellipse(image, box, colour, filled, cv2.LINE_AA)
        else:
            corners = cv2.boxPoints(((x, y), (2 * reach[0], 2 * reach[1]), turn))[: 6 - kind].astype(np.int32)
            if filled < 0:
                cv2.fillPoly(image, [corners], colour, cv2.LINE_AA)
            else:
                cv2.polylines(image, [corners], True, colour, thickness, cv2.LINE_AA)
