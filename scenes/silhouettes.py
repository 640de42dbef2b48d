"""The ten kinds of object as polygons: x to the right and y down, both from about -1 to 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Tone = Literal["body", "accent", "dark", "light"]


@dataclass(frozen=True)
class Part:
    """One painted area: contours of (N, 2) coordinates, filled by the even-odd rule, so an inner contour is a hole."""

    tone: Tone
    contours: tuple[Points, ...]


def _polygon(*points: tuple[float, float]) -> Points:
    return np.array(points, np.float32)


def _rectangle(x1: float, y1: float, x2: float, y2: float) -> Points:
    return _polygon((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def _ellipse(x: float, y: float, rx: float, ry: float, start: float = 0.0, end: float = 360.0) -> Points:
    """An ellipse, or the part of it between two angles in degrees (clockwise from the right, as y points down)."""
    t = np.radians(np.linspace(start, end, 29, dtype=np.float32))
    return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], 1).astype(np.float32)


def _star() -> list[Part]:
    t = np.radians(np.arange(10) * 36 - 90)
    radius = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
    return [Part("body", (np.stack([radius * np.cos(t), radius * np.sin(t)], 1).astype(np.float32),))]


def _heart() -> list[Part]:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16 - 0.12
    return [Part("body", (np.stack([x, y], 1).astype(np.float32),))]


def _house() -> list[Part]:
    return [
        Part("accent", (_rectangle(0.4, -0.85, 0.62, -0.2),)),
        Part("body", (_rectangle(-0.74, -0.05, 0.74, 0.9),)),
        Part("accent", (_polygon((-0.98, 0.0), (0.0, -0.92), (0.98, 0.0)),)),
        Part("dark", (_rectangle(-0.5, 0.28, -0.12, 0.9),)),
        Part("light", (_rectangle(0.14, 0.2, 0.52, 0.56),)),
    ]


def _tree() -> list[Part]:
    return [
        Part("accent", (_rectangle(-0.14, 0.55, 0.14, 1.0),)),
        Part("body", (_polygon((0.0, -0.2), (0.78, 0.66), (-0.78, 0.66)),)),
        Part("body", (_polygon((0.0, -0.62), (0.62, 0.22), (-0.62, 0.22)),)),
        Part("body", (_polygon((0.0, -1.0), (0.46, -0.24), (-0.46, -0.24)),)),
    ]


def _fish() -> list[Part]:
    return [
        Part("accent", (_polygon((-0.4, 0.0), (-1.0, -0.48), (-0.82, 0.0), (-1.0, 0.48)),)),
        Part("accent", (_polygon((-0.2, -0.3), (0.05, -0.66), (0.42, -0.3)),)),
        Part("body", (_ellipse(0.2, 0.0, 0.8, 0.44),)),
        Part("accent", (_polygon((0.1, 0.04), (-0.24, 0.26), (-0.14, -0.02)),)),
        Part("light", (_ellipse(0.66, -0.1, 0.12, 0.12),)),
        Part("dark", (_ellipse(0.68, -0.1, 0.06, 0.06),)),
    ]


def _car() -> list[Part]:
    cabin = _polygon((-0.62, -0.02), (-0.42, -0.46), (0.26, -0.46), (0.56, -0.02))
    hull = _polygon((-0.98, 0.0), (0.56, -0.06), (0.92, 0.06), (1.0, 0.34), (-1.0, 0.34))
    return [
        Part("body", (cabin,)),
        Part("body", (hull,)),
        Part("light", (_polygon((-0.46, -0.04), (-0.33, -0.36), (-0.1, -0.36), (-0.1, -0.04)),)),
        Part("light", (_polygon((0.0, -0.04), (0.0, -0.36), (0.2, -0.36), (0.4, -0.04)),)),
        Part("dark", (_ellipse(-0.52, 0.34, 0.23, 0.23),)),
        Part("dark", (_ellipse(0.54, 0.34, 0.23, 0.23),)),
        Part("light", (_ellipse(-0.52, 0.34, 0.09, 0.09),)),
        Part("light", (_ellipse(0.54, 0.34, 0.09, 0.09),)),
    ]


def _mug() -> list[Part]:
    return [
        Part("body", (_ellipse(0.48, 0.06, 0.48, 0.46), _ellipse(0.48, 0.06, 0.27, 0.26))),
        Part("body", (_polygon((-0.82, -0.7), (0.5, -0.7), (0.44, 0.66), (0.3, 0.84), (-0.62, 0.84), (-0.76, 0.66)),)),
        Part("accent", (_ellipse(-0.16, -0.7, 0.66, 0.15),)),
        Part("dark", (_ellipse(-0.16, -0.69, 0.54, 0.09),)),
    ]


def _umbrella() -> list[Part]:
    scallops = [_ellipse(x, 0.0, 0.25, 0.14, 360, 180) for x in (0.75, 0.25, -0.25, -0.75)]
    hook_outer, hook_inner = _ellipse(0.19, 0.76, 0.25, 0.24, 0, 180), _ellipse(0.19, 0.76, 0.11, 0.1, 180, 0)
    return [
        Part("accent", (_rectangle(-0.06, -0.98, 0.06, -0.7),)),
        Part("accent", (_rectangle(-0.06, -0.2, 0.08, 0.78),)),
        Part("accent", (np.concatenate([hook_outer, hook_inner]),)),
        Part("body", (np.concatenate([_ellipse(0.0, 0.0, 1.0, 0.84, 180, 360), *scallops]),)),
        Part("light", (np.concatenate([_ellipse(0, 0, 0.3, 0.84, 180, 360), _ellipse(0, 0, 0.22, 0.84, 360, 180)]),)),
    ]


def _key() -> list[Part]:
    return [
        Part("body", (_ellipse(-0.58, 0.0, 0.42, 0.42), _ellipse(-0.62, 0.0, 0.2, 0.2))),
        Part("body", (_rectangle(-0.2, -0.1, 1.0, 0.1),)),
        Part("body", (_rectangle(0.48, 0.06, 0.64, 0.36),)),
        Part("body", (_rectangle(0.8, 0.06, 0.98, 0.42),)),
    ]


def _rocket() -> list[Part]:
    hull = np.concatenate([_ellipse(0.36, 0.1, 0.72, 1.08, 180, 240), _ellipse(-0.36, 0.1, 0.72, 1.08, 300, 360)])
    return [
        Part("accent", (_polygon((-0.3, 0.1), (-0.66, 0.46), (-0.66, 0.78), (-0.26, 0.58)),)),
        Part("accent", (_polygon((0.3, 0.1), (0.66, 0.46), (0.66, 0.78), (0.26, 0.58)),)),
        Part("light", (_polygon((-0.18, 0.56), (0.18, 0.56), (0.0, 1.0)),)),
        Part("body", (np.concatenate([hull, _polygon((0.28, 0.6), (-0.28, 0.6))]),)),
        Part("light", (_ellipse(0.0, -0.14, 0.17, 0.17),)),
        Part("dark", (_ellipse(0.0, -0.14, 0.1, 0.1),)),
    ]


_DRAWINGS: dict[str, Callable[[], list[Part]]] = {
    "star": _star,
    "heart": _heart,
    "house": _house,
    "tree": _tree,
    "fish": _fish,
    "car": _car,
    "mug": _mug,
    "umbrella": _umbrella,
    "key": _key,
    "rocket": _rocket,
}

LABELS: tuple[str, ...] = tuple(_DRAWINGS)

SILHOUETTES: tuple[tuple[Part, ...], ...] = tuple(tuple(draw()) for draw in _DRAWINGS.values())
"""The parts of each kind in painting order, in the order of LABELS."""
