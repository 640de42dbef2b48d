"""The OpenVINO engine with the bundled model, and damaged models."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from detection.card import read_card
from detection.errors import ModelError
from detection.openvino import OpenVINOEngine, compile_options
from detection.processor import Processor
from tests.conftest import BUNDLED, smooth_picture


def test_the_engine_takes_pictures_of_any_size() -> None:
    engine = OpenVINOEngine(BUNDLED)
    channels = 3 * (5 + len(read_card(BUNDLED).labels))
    for height, width in ((256, 320), (320, 256), (32, 320), (256, 320)):
        shapes = [m.shape for m in engine.infer(smooth_picture(width, height))]
        assert shapes == [(channels, height // s, width // s) for s in (8, 16, 32)]


def test_the_engine_keeps_no_state_between_pictures() -> None:
    engine = OpenVINOEngine(BUNDLED)
    first = [m.copy() for m in engine.infer(smooth_picture(320, 256, 1))]
    engine.infer(smooth_picture(256, 320, 2))
    for before, after in zip(first, engine.infer(smooth_picture(320, 256, 1)), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", ["model.xml", "model.bin", "model.json"])
def test_a_missing_file_of_a_model_is_named(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(BUNDLED, tmp_path / "model")
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"is not a model folder: it has no {name}"):
        read_card(folder)
        OpenVINOEngine(folder)


@pytest.mark.parametrize("name", ["model.xml", "model.json"])
def test_a_damaged_model_is_reported_in_one_line(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(BUNDLED, tmp_path / "model")
    (folder / name).write_bytes((folder / name).read_bytes()[:500])
    with pytest.raises(ModelError, match=f"{name} is damaged .*: add the model again") as caught:
        read_card(folder)
        OpenVINOEngine(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "isa", "precision"),
    [
        ("Intel(R) Xeon(R) Processor", "AVX-512 BF16", "f32"),
        ("Intel(R) Xeon(R) Platinum 8488C", "AMX", None),
        ("AMD EPYC 9R14", "AVX-512 BF16", None),
        ("Intel(R) Xeon(R) Platinum 8259CL", "AVX-512 VNNI", None),
        ("unknown", "unknown", None),
    ],
)
def test_intels_bfloat16_without_amx_is_not_used(model: str, isa: str, precision: str | None) -> None:
    assert compile_options(Processor(model, isa)).get("INFERENCE_PRECISION_HINT") == precision
