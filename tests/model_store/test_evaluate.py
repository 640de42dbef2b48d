from __future__ import annotations

import sys

import numpy as np
import pytest

from model_store.cli import main
from model_store.evaluate import CocoBox, coco_map

LABELS = ("bus", "car", "never there")
TRUTH = [CocoBox(1, 0, np.array([0, 0, 100, 100])), CocoBox(2, 1, np.array([50, 50, 90, 70]))]


def test_perfect_detections_have_a_precision_of_one() -> None:
    result = coco_map(TRUTH, TRUTH, [1, 2], LABELS)
    assert (round(result.map50, 6), round(result.map50_95, 6)) == (1.0, 1.0)
    assert sorted(result.per_label) == ["bus", "car"]


def test_a_box_that_is_a_little_off_counts_at_low_thresholds_only() -> None:
    off = [TRUTH[0], CocoBox(2, 1, np.array([50, 50, 90, 66]), 0.9)]  # IoU 0.8 for the car.
    result = coco_map(TRUTH, off, [1, 2], LABELS)
    assert round(result.map50, 6) == 1.0
    assert round(result.per_label["car"], 6) == 0.7


def test_the_wrong_label_counts_as_nothing() -> None:
    wrong = [CocoBox(1, 1, np.array([0, 0, 100, 100]))]
    assert coco_map(TRUTH, wrong, [1, 2], LABELS).map50 == 0.0


def test_nothing_found_is_zero() -> None:
    assert coco_map(TRUTH, [], [1, 2], LABELS).map50_95 == 0.0


def test_a_missing_tool_is_one_line_that_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "model_store.evaluate", raising=False)
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    assert main(["evaluate", "mine", "--coco", "a.json", "--images", "pictures"]) == 1
    assert capsys.readouterr().err == (
        "error: this needs pycocotools.coco, which serving does not: make convert-tools installs it\n"
    )
