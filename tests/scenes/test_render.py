"""Scenes: the same for the same seed, with boxes inside the picture."""

from __future__ import annotations

import itertools
import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from scenes.render import (
    ASPECTS,
    HELD_OUT_SEEDS,
    LABELS,
    TRAIN_SEEDS,
    VALIDATION_SEEDS,
    Scene,
    render_scene,
    scene_size,
    write_coco,
)


@cache
def scenes() -> dict[int, Scene]:
    """Some scenes by their seeds."""
    return {seed: render_scene(seed) for seed in HELD_OUT_SEEDS[:60]}


def test_a_seed_always_gives_the_same_scene() -> None:
    again = render_scene(5)
    assert (again.image == scenes()[5].image).all()
    assert (again.boxes == scenes()[5].boxes).all()
    other = render_scene(5 + len(ASPECTS), 320)
    assert not np.array_equal(render_scene(5, 320).image, other.image)


def test_the_seed_ranges_share_no_seed() -> None:
    ranges = sorted((r.start, r.stop) for r in (HELD_OUT_SEEDS, VALIDATION_SEEDS, TRAIN_SEEDS))
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ranges))


def test_boxes_lie_inside_the_picture_and_are_not_empty() -> None:
    for scene in scenes().values():
        height, width = scene.image.shape[:2]
        assert (scene.boxes >= 0).all()
        assert (scene.boxes[:, 2:] <= [width, height]).all()
        assert (scene.boxes[:, 2:] - scene.boxes[:, :2] >= 3).all()
        assert len(scene.boxes) == len(scene.class_ids)


def test_scenes_vary_in_size_aspect_number_and_kind() -> None:
    kinds = {int(c) for scene in scenes().values() for c in scene.class_ids}
    assert kinds == set(range(len(LABELS)))
    assert len({scene.image.shape[:2] for scene in scenes().values()}) > 40
    assert {len(scene.boxes) for scene in scenes().values()} >= {1, 3, 5, 7}


@pytest.mark.parametrize("seed", range(len(ASPECTS)))
def test_a_scene_can_be_rendered_with_a_given_long_side(seed: int) -> None:
    height, width = render_scene(seed, 320).image.shape[:2]
    across, down = ASPECTS[seed]
    assert (height, width) == scene_size(seed, 320)
    assert max(height, width) == 320
    assert width / height == pytest.approx(across / down, rel=0.01)


def test_write_coco_gives_pictures_and_boxes(tmp_path: Path) -> None:
    data = json.loads(write_coco(tmp_path, [3, 7]).read_text())
    assert [c["name"] for c in data["categories"]] == list(LABELS)
    for image in data["images"]:
        scene = scenes()[image["id"]]
        picture = cv2.imread(str(tmp_path / image["file_name"]))
        assert picture is not None
        assert picture.shape == scene.image.shape == (image["height"], image["width"], 3)
        rows = [a["bbox"] for a in data["annotations"] if a["image_id"] == image["id"]]
        corners = np.array(rows, np.float32)
        corners[:, 2:] += corners[:, :2]
        np.testing.assert_array_equal(corners, scene.boxes)
