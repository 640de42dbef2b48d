"""The OpenVINO engine with the bundled model, and damaged models."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from detection import openvino
from detection.card import read_card
from detection.engine import load_in_background
from detection.errors import ModelError
from detection.openvino import OneShapeEngine, OpenVINOEngine, compile_options
from detection.processor import Processor
from detection.types import Floats, Picture
from tests.conftest import BUNDLED, smooth_picture


def test_the_engine_takes_pictures_of_any_size() -> None:
    engine = OpenVINOEngine(BUNDLED)
    channels = 3 * (5 + len(read_card(BUNDLED).labels))
    for height, width in ((256, 320), (320, 256), (32, 320), (256, 320)):
        with engine.infer(smooth_picture(width, height)) as maps:
            assert [m.shape for m in maps] == [(channels, height // s, width // s) for s in (8, 16, 32)]


def inferred(engine: OpenVINOEngine, picture: Picture) -> list[Floats]:
    with engine.infer(picture) as maps:
        return [m.copy() for m in maps]


def test_the_engine_keeps_no_state_between_pictures() -> None:
    engine = OpenVINOEngine(BUNDLED)
    first = inferred(engine, smooth_picture(320, 256, 1))
    inferred(engine, smooth_picture(256, 320, 2))
    for before, after in zip(first, inferred(engine, smooth_picture(320, 256, 1)), strict=True):
        np.testing.assert_array_equal(before, after)


def test_inferences_at_the_same_time_do_not_see_each_other() -> None:
    """Two blocks are open at once; a third inference waits until one of them has ended."""
    engine, pictures = OpenVINOEngine(BUNDLED, inferences=2), [smooth_picture(320, 256, seed) for seed in range(3)]
    alone = [inferred(engine, picture) for picture in pictures]
    with ThreadPoolExecutor(1) as pool:
        with engine.infer(pictures[0]) as first, engine.infer(pictures[1]) as second:
            third = pool.submit(inferred, engine, pictures[2])
            with pytest.raises(TimeoutError):
                third.result(timeout=0.2)
            for maps, wanted in ((first, alone[0]), (second, alone[1])):
                for map_, one in zip(maps, wanted, strict=True):
                    np.testing.assert_allclose(map_, one, atol=1e-3)
        for map_, one in zip(third.result(timeout=30), alone[2], strict=True):
            np.testing.assert_allclose(map_, one, atol=1e-3)


def test_a_failed_inference_frees_its_place() -> None:
    engine = OpenVINOEngine(BUNDLED)
    for _ in range(2):
        with pytest.raises(RuntimeError), engine.infer(np.zeros((8, 8, 4), np.uint8)):
            pass
    assert inferred(engine, smooth_picture(320, 256))


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes", [[(320, 256), (320, 256)], [(256, 320), (256, 320), (320, 256)], [(320, 256), (64, 320)]]
)
def test_an_engine_of_one_shape_gives_what_the_usual_one_does(sizes: list[tuple[int, int]]) -> None:
    """The expected shape, and another one before and after it."""
    engine, usual = OneShapeEngine(BUNDLED, (256, 320)), OpenVINOEngine(BUNDLED)
    for seed, (width, height) in enumerate(sizes):
        picture = smooth_picture(width, height, seed)
        with engine.infer(picture) as maps:
            for ours, theirs in zip(maps, inferred(usual, picture), strict=True):
                np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.slow
def test_an_engine_of_one_shape_is_compiled_for_a_second_one_and_then_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[tuple[int, int] | None] = []

    class Counted(OpenVINOEngine):
        def __init__(self, folder: Path, inferences: int = 1, shape: tuple[int, int] | None = None) -> None:
            compiled.append(shape)
            super().__init__(folder, inferences, shape)

    monkeypatch.setattr(openvino, "OpenVINOEngine", Counted)
    engine = OneShapeEngine(BUNDLED, (256, 320))
    for width, height in ((320, 256), (320, 256), (256, 320), (64, 320), (320, 256)):
        with engine.infer(smooth_picture(width, height)):
            pass
    assert compiled == [(256, 320), None]
    compiled.clear()
    engine = OneShapeEngine(BUNDLED, (256, 320))
    for width, height in ((256, 320), (256, 320), (64, 320)):
        with engine.infer(smooth_picture(width, height)):
            pass
    assert compiled == [(256, 320), (320, 256), None]


@pytest.mark.parametrize(
    ("hurried", "largest", "kind"),
    [(True, 0, "OneShapeEngine"), (True, 100_000_000, "OpenVINOEngine"), (False, 0, "OpenVINOEngine")],
)
def test_when_a_request_waits_a_large_network_is_compiled_for_one_shape(
    hurried: bool, largest: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detection.engine.LARGE", largest)
    engine = load_in_background(BUNDLED, hurried=hurried).result(timeout=60)
    assert type(engine).__name__ == kind
    with engine.infer(smooth_picture(320, 256)) as maps:
        assert len(maps) == 3


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
