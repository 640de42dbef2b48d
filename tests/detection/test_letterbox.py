"""The fit of a picture into the input of the network, and the way back."""

from __future__ import annotations

import numpy as np
import pytest

from detection.letterbox import PADDING, fit

# width, height, size, stride -> inner width, inner height, left, top, width, height
EXAMPLES = [
    ((1280, 960, 1280, 64), (1280, 960, 0, 0, 1280, 960)),
    ((810, 1080, 640, 32), (480, 640, 0, 0, 480, 640)),
    ((1920, 1080, 640, 32), (640, 360, 0, 12, 640, 384)),
    ((640, 479, 640, 32), (640, 479, 0, 0, 640, 480)),
    ((1000, 333, 640, 32), (640, 213, 0, 5, 640, 224)),
    ((1, 1, 640, 32), (640, 640, 0, 0, 640, 640)),
    ((10_000, 3, 640, 32), (640, 1, 0, 15, 640, 32)),
]


@pytest.mark.parametrize(("given", "expected"), EXAMPLES)
def test_fit_is_the_smallest_stride_multiple(given: tuple[int, ...], expected: tuple[int, ...]) -> None:
    box = fit(*given)
    assert (box.inner_width, box.inner_height, box.left, box.top, box.width, box.height) == expected


def test_apply_centres_the_picture_on_grey() -> None:
    picture = np.full((213, 640, 3), 7, np.uint8)
    canvas = fit(640, 213, 640, 32).apply(picture)
    assert canvas.shape == (224, 640, 3)
    assert (canvas[5:218] == 7).all()
    assert (canvas[:5] == PADDING).all()
    assert (canvas[218:] == PADDING).all()


def test_to_source_undoes_the_fit() -> None:
    box = fit(1920, 1080, 640, 32)
    whole = np.array([[0, 12, 640, 372], [320, 192, 640, 372], [-50, 0, 700, 400]], np.float32)
    expected = [[0, 0, 1920, 1080], [960, 540, 1920, 1080], [0, 0, 1920, 1080]]
    np.testing.assert_allclose(box.to_source(whole), expected, atol=1e-3)


def test_to_source_does_not_change_its_argument() -> None:
    boxes = np.array([[1, 2, 3, 4]], np.float32)
    fit(100, 50, 640, 32).to_source(boxes)
    assert boxes.tolist() == [[1, 2, 3, 4]]
