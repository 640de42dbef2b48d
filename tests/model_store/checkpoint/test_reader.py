from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch
from safetensors.torch import save_file

from detection.card import read_card
from detection.postprocess import maps_to_candidates
from local.doors import INPUT_BUCKET
from local.s3 import LocalS3
from model_store import store
from model_store.checkpoint import archive, modules, unpickle
from model_store.checkpoint.reader import read_checkpoint
from model_store.cli import main
from model_store.coco import COCO_LABELS
from model_store.convert import from_checkpoint
from model_store.download import Release
from model_store.errors import CheckpointError
from model_store.export import to_openvino
from model_store.network.graph import Network
from model_store.network.heads import decode
from model_store.network.variants import VARIANTS, build
from tests.conftest import upload
from tests.model_store.network.test_graph import unsettled
from tests.model_store.published import save_published

REFERENCE = os.environ.get("YOLOV7_REFERENCE", "")
LIMITS = {
    archive: ("MAX_PICKLE_BYTES", "MAX_DIRECTORY_BYTES", "MAX_WEIGHT_BYTES"),
    modules: ("MAX_MODULES", "MAX_DEPTH"),
    unpickle: ("MAX_OPERATIONS",),
}
NAMES = ["bus", "car", "写真", "traffic light"]


def same_weights(network: Network, other: Network) -> bool:
    """Whether the tensors are equal in half precision, in which checkpoints are saved."""
    mine, theirs = network.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k].half(), theirs[k].half()) for k in mine)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("form", ["deploy", "training"])
@pytest.mark.slow
def test_every_variant_in_either_form_is_recognised(
    variant: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, names in LIMITS.items():  # No network needs more than a sixth of a limit.
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name) // 6)
    network = unsettled(variant, training=form == "training")
    read = read_checkpoint(save_published(network, tmp_path / "best.pt", NAMES))
    assert (read.variant, read.form, read.labels) == (variant, form, tuple(NAMES))
    assert same_weights(read.network, network)
    assert read.sha256 == hashlib.sha256((tmp_path / "best.pt").read_bytes()).hexdigest()


@pytest.mark.slow
def test_the_averaged_weights_win(tmp_path: Path) -> None:
    plain, average = unsettled("yolov7-tiny"), unsettled("yolov7-tiny")
    with torch.no_grad():
        average.model[0].conv.weight.mul_(2)  # type: ignore[operator,union-attr]
    read = read_checkpoint(save_published(plain, tmp_path / "best.pt", NAMES, ema=average))
    assert same_weights(read.network, average)


@pytest.mark.parametrize("names", [dict(enumerate(NAMES)), tuple(NAMES)])
@pytest.mark.slow
def test_labels_may_be_a_dictionary_or_a_tuple(names: dict[int, str], tmp_path: Path) -> None:
    path = save_published(unsettled("yolov7-tiny"), tmp_path / "best.pt", names)
    assert read_checkpoint(path).labels == tuple(NAMES)


@pytest.mark.slow
def test_one_class_is_enough(tmp_path: Path) -> None:
    path = save_published(build("yolov7-tiny", 1, training=True), tmp_path / "best.pt", ["licence plate"])
    assert read_checkpoint(path).labels == ("licence plate",)


@pytest.mark.slow
def test_adapted_anchors_are_kept(tmp_path: Path) -> None:
    network = unsettled("yolov7-tiny")
    network.head.anchor_grid *= 1.5
    network.head.anchors *= 1.5
    read = read_checkpoint(save_published(network, tmp_path / "best.pt", NAMES))
    assert read.network.head.anchor_grid.flatten(1, 4)[0, 0].tolist() == [15, 19.5]


@pytest.mark.slow
def test_safetensors_with_the_same_keys_are_read(tmp_path: Path) -> None:
    network = unsettled("yolov7-tiny")
    save_file(network.state_dict(), tmp_path / "best.safetensors", {"names": json.dumps(NAMES)})
    read = read_checkpoint(tmp_path / "best.safetensors")
    assert (read.variant, read.form, read.labels) == ("yolov7-tiny", "training", tuple(NAMES))
    assert same_weights(read.network, network)


def test_eighty_classes_without_names_are_cocos(tmp_path: Path) -> None:
    save_file(build("yolov7-tiny").state_dict(), tmp_path / "best.safetensors")
    assert read_checkpoint(tmp_path / "best.safetensors").labels == COCO_LABELS


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """Files that can be read, but do not hold a YOLOv7 network, or not all of one."""
    tmp_path = tmp_path_factory.mktemp("broken")
    network = unsettled("yolov7-tiny")
    lacking = {key: value for key, value in network.state_dict().items() if "model.3." not in key}
    save_file(lacking, tmp_path / "lacking.safetensors")
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("this is text")
    for name, data in {"list": [1], "empty": {}, "none": {"model": None, "ema": None}}.items():
        torch.save(data, tmp_path / f"{name}.pt")
    silu = unsettled("yolov7-tiny")
    for module in silu.modules():
        if hasattr(module, "act"):
            module.act = torch.nn.SiLU()
    save_published(silu, tmp_path / "silu.pt", NAMES)
    save_published(network, tmp_path / "names.pt", NAMES[:3])
    for name, key, value in VALUES:
        state = {k: v.clone() for k, v in network.state_dict().items()}
        state[key].view(-1)[-1] = value
        save_file(state, tmp_path / f"{name}.safetensors", {"names": json.dumps(NAMES)})
    return {
        "lacking.safetensors": (tmp_path, "holds a network with 338 tensors that is none of yolov7-tiny, yolov7, "),
        "other.safetensors": (tmp_path, "its tensors have no detection head"),
        "text.safetensors": (tmp_path, "is not a safetensors file"),
        "missing.safetensors": (tmp_path, "does not exist"),
        "list.pt": (tmp_path, "holds a list, not the dictionary"),
        "empty.pt": (tmp_path, "holds no network"),
        "none.pt": (tmp_path, "holds no network"),
        "silu.pt": (tmp_path, "it has SiLU at model.0.act, not the LeakyReLU of a yolov7-tiny"),
        "names.pt": (tmp_path, "has 4 classes, but 3 of their names"),
    } | {f"{name}.safetensors": (tmp_path, f"is damaged: {key} has") for name, key, _ in VALUES}


VALUES = [
    ("nan", "model.0.conv.weight", math.nan),
    ("infinite", "model.77.m.2.bias", math.inf),
    ("overflowing", "model.77.ia.0.implicit", -math.inf),
    ("variance", "model.9.bn.running_var", -1e-6),
]
BROKEN = ["lacking.safetensors", "other.safetensors", "text.safetensors", "missing.safetensors"]
BROKEN += ["list.pt", "empty.pt", "none.pt", "silu.pt", "names.pt", *(f"{name}.safetensors" for name, *_ in VALUES)]


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_a_yolov7_is_refused_in_one_line(name: str, broken: dict[str, tuple[Path, str]]) -> None:
    folder, message = broken[name]
    with pytest.raises(CheckpointError, match=message) as caught:
        read_checkpoint(folder / name)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_add_stores_a_fine_tuned_checkpoint_with_its_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save_published(unsettled("yolov7-tiny"), tmp_path / "best.pt", NAMES)
    assert main(["add", "my-model", "--weights", str(path), "--input-size", "416"]) == 0
    card = read_card(store.find("my-model"))
    assert (card.labels, card.variant, card.form, card.input_size) == (tuple(NAMES), "yolov7-tiny", "training", 416)
    assert card.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    first = capsys.readouterr().out
    assert main(["add", "my-model", "--weights", str(path), "--input-size", "416"]) == 0
    assert capsys.readouterr().out == first


def test_an_input_size_that_the_variant_cannot_have_is_refused(tmp_path: Path) -> None:
    path = save_published(unsettled("yolov7-tiny"), tmp_path / "best.pt", NAMES)
    with pytest.raises(CheckpointError, match="input size 417 is not a multiple of 32"):
        from_checkpoint(path, tmp_path, name="x", input_size=417)


@pytest.fixture(scope="module")
def reference() -> tuple[Network, torch.Tensor, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """The published implementation's own checkpoint, input and output."""
    if not REFERENCE:
        pytest.skip("YOLOV7_REFERENCE is not set: NOT compared with the published implementation's stored output")
    stem = Path(REFERENCE) / "yolov7-tiny-training"
    data = np.load(stem.with_suffix(".npz"))
    network = read_checkpoint(stem.with_suffix(".pt")).network
    return network, torch.from_numpy(data["images"]).float(), np.asarray(data["prediction"], np.float32)[0]


def test_our_network_decodes_as_the_published_one(
    reference: tuple[Network, torch.Tensor, np.ndarray[tuple[int, ...], np.dtype[np.float32]]],
) -> None:
    network, images, prediction = reference
    with torch.no_grad():
        for version in (network, network.fused()):
            decoded = decode(version.head, version(images))[0].numpy()
            assert np.abs(decoded[:, :4] - prediction[:, :4]).max() < 0.05
            assert np.abs(decoded[:, 4:] - prediction[:, 4:]).max() < 1e-4


def test_the_exported_network_decodes_as_the_published_one(
    reference: tuple[Network, torch.Tensor, np.ndarray[tuple[int, ...], np.dtype[np.float32]]],
) -> None:
    network, images, prediction = reference
    model = to_openvino(network, picture_input=False)
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    maps = [np.asarray(m[0]) for m in compiled([images.numpy()]).values()]
    anchors = network.head.anchor_grid.flatten(1, 4).numpy()
    boxes, scores, class_ids = maps_to_candidates(maps, anchors, network.head.strides, 0.0)
    half = prediction[:, 2:4] / 2
    assert np.abs(boxes - np.concatenate([prediction[:, :2] - half, prediction[:, :2] + half], 1)).max() < 0.1
    expected = prediction[:, 4:5] * prediction[:, 5:]
    assert np.abs(scores - expected.max(1)).max() < 1e-3
    np.testing.assert_allclose(expected[np.arange(len(class_ids)), class_ids], expected.max(1), atol=1e-5)


@pytest.mark.slow
def test_add_takes_an_official_release_from_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save_published(build("yolov7-tiny", training=True), tmp_path / "yolov7-tiny.pt", COCO_LABELS)
    url = path.as_uri()  # urllib reads files as it reads the web.
    release = Release(url=url, input_size=640, licence="GPL-3.0", sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr("model_store.download.catalogue", lambda: {"yolov7-tiny": release})
    assert main(["add", "yolov7-tiny", "--input-size", "320"]) == 0
    card = read_card(store.find("yolov7-tiny"))
    assert (card.source, card.licence, card.input_size) == (url, "GPL-3.0 (the weights' project)", 320)
    assert card.source_sha256 == release.sha256
    store.remove(f"{card.name}:{card.version}")


def test_add_takes_weights_from_s3(
    s3: LocalS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (s3.env | {"AWS_DEFAULT_REGION": "us-east-1"}).items():
        monkeypatch.setenv(name, value)
    path = save_published(unsettled("yolov7-tiny"), tmp_path / "best.pt", ["bus", "car", "bus", "bus"])
    upload(s3, "runs/best.pt", path.read_bytes())
    assert main(["add", "from-s3", "--weights", f"s3://{INPUT_BUCKET}/runs/best.pt"]) == 0
    assert capsys.readouterr().err == "note: 3 classes have the label 'bus'; a request for it finds all\n"
    assert read_card(store.find("from-s3")).source == f"s3://{INPUT_BUCKET}/runs/best.pt"
    assert main(["add", "from-s3", "--weights", f"s3://{INPUT_BUCKET}/missing.pt"]) == 1
    assert "missing.pt could not be downloaded (" in capsys.readouterr().err
