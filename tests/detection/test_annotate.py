"""Boxes and labels drawn into a picture."""

from __future__ import annotations

import numpy as np
import pytest

from detection.annotate import annotate, colour_of, sizes
from detection.types import Detections, Picture

LABELS = ("bus", "traffic light", "自転車")


def detections(*boxes: tuple[float, float, float, float]) -> Detections:
    count = len(boxes)
    scores = np.linspace(0.9, 0.5, count, dtype=np.float32) if count else np.zeros(0, np.float32)
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), scores, np.arange(count) % len(LABELS), LABELS)


@pytest.mark.parametrize(
    ("width", "height", "thickness", "text"),
    [(640, 480, 2, 15), (1280, 960, 5, 30), (4000, 3000, 16, 93), (1, 300_000, 1, 11), (1_048_575, 1, 1, 11)],
)
def test_lines_and_text_grow_with_the_picture_up_to_its_short_side(
    width: int, height: int, thickness: int, text: int
) -> None:
    assert sizes(width, height) == (thickness, text)


def drawn_on(picture: Picture, found: Detections) -> Picture:
    """A copy of the picture with the detections."""
    drawn = picture.copy()
    annotate(drawn, found)
    return drawn


@pytest.mark.parametrize(("width", "height"), [(1, 1), (8, 6), (40, 30), (320, 240), (1920, 1080), (300, 3000)])
def test_annotate_draws_on_pictures_of_any_size(width: int, height: int) -> None:
    picture = np.full((height, width, 3), 90, np.uint8)
    annotate(picture, detections((0, 0, width, height), (width / 4, height / 4, width / 2, height / 2)))
    assert (picture != 90).any()


def test_annotate_without_detections_draws_nothing() -> None:
    picture = np.full((20, 30, 3), 5, np.uint8)
    annotate(picture, detections())
    assert (picture == 5).all()


@pytest.mark.parametrize("scale", [1, 4])
def test_annotate_draws_the_box_in_the_colour_of_its_class(scale: int) -> None:
    picture = np.zeros((240 * scale, 320 * scale, 3), np.uint8)
    drawn = drawn_on(picture, detections((50.0 * scale, 100.0 * scale, 200.0 * scale, 180.0 * scale)))
    assert tuple(drawn[140 * scale, 50 * scale]) == colour_of(0)
    assert tuple(drawn[180 * scale, 120 * scale]) == colour_of(0)
    assert tuple(drawn[140 * scale, 120 * scale]) == (0, 0, 0)


def test_labels_do_not_hide_each_other() -> None:
    picture = np.zeros((480, 640, 3), np.uint8)
    one = drawn_on(picture, detections((100, 200, 300, 400)))
    three = drawn_on(picture, detections((100, 200, 300, 400), (102, 203, 303, 404), (98, 199, 299, 398)))
    plates = [int((three == colour_of(i)).all(2).sum()) for i in range(3)]
    assert min(plates) > int((one == colour_of(0)).all(2).sum()) / 3
