from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch

from detection.card import NETWORK, WEIGHTS
from detection.postprocess import maps_to_candidates
from model_store.export import PRECISIONS, save, to_openvino
from model_store.network.heads import decode
from model_store.network.variants import VARIANTS
from tests.model_store.network.test_graph import narrow, unsettled

pytestmark = pytest.mark.slow

EXACT = {"INFERENCE_PRECISION_HINT": "f32"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_openvino_decodes_as_torch_does(variant: str) -> None:
    network = narrow(variant)
    compiled = ov.compile_model(to_openvino(network, picture_input=False), "CPU", EXACT)
    head = network.head
    anchors = head.anchor_grid.flatten(1, 4).numpy()
    for height, width in ((2, 3), (3, 1)):  # In strides: the model takes any size.
        images = torch.rand(1, 3, height * network.stride, width * network.stride)
        with torch.no_grad():
            expected = decode(head, network(images))[0].numpy()
        maps = [np.asarray(m[0]) for m in compiled([images.numpy()]).values()]
        boxes, scores, _ = maps_to_candidates(maps, anchors, head.strides, 0.0)
        assert boxes.shape == (len(expected), 4)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        assert np.abs(centres - expected[:, :2]).max() < 0.1
        assert np.abs(boxes[:, 2:] - boxes[:, :2] - expected[:, 2:4]).max() < 0.1
        assert np.abs(scores - expected[:, 4] * expected[:, 5:].max(1)).max() < 1e-3


@pytest.fixture(scope="module")
def tiny() -> ov.Model:
    """An exported yolov7-tiny that takes pictures."""
    return to_openvino(unsettled("yolov7-tiny"))


def test_the_picture_input_is_opencvs(tiny: ov.Model) -> None:
    network = unsettled("yolov7-tiny")
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    planes = picture[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255
    plain = ov.compile_model(to_openvino(network, picture_input=False), "CPU", EXACT)
    whole = ov.compile_model(tiny, "CPU", EXACT)
    for a, b in zip(plain([planes]).values(), whole([picture[None]]).values(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_save_writes_the_two_files_in_the_precision_asked_for(precision: str, tiny: ov.Model, tmp_path: Path) -> None:
    save(tiny, tmp_path, precision)
    assert sorted(file.name for file in tmp_path.iterdir()) == [WEIGHTS, NETWORK]
    parameters = sum(p.numel() for p in unsettled("yolov7-tiny").fused().parameters())
    bytes_each = {"fp32": 4, "fp16": 2}[precision]
    assert (tmp_path / WEIGHTS).stat().st_size == pytest.approx(parameters * bytes_each, rel=0.01)


def test_an_unknown_precision_is_refused(tiny: ov.Model, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no precision 'fp8'; known: fp32, fp16"):
        save(tiny, tmp_path, "fp8")
    assert list(tmp_path.iterdir()) == []
