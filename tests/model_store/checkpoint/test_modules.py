"""Modules whose tensors fit a network, but that would compute something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from model_store.checkpoint.archive import load
from model_store.checkpoint.modules import check_modules, modules_by_path, tensors_by_key
from model_store.checkpoint.reader import read_checkpoint
from model_store.checkpoint.values import Inert, Refused
from model_store.errors import CheckpointError
from model_store.network.graph import Network
from model_store.network.variants import build
from tests.model_store.network.test_graph import unsettled
from tests.model_store.published import save_published


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Network]:
    network = build("yolov7-tiny", 4)
    return save_published(network, tmp_path_factory.mktemp("modules") / "x.pt", ["a", "b", "c", "d"]), network


def test_published_modules_agree_with_our_network(saved: tuple[Path, Network]) -> None:
    path, network = saved
    modules = modules_by_path(load(path)["model"])
    check_modules(modules, network, "yolov7-tiny")
    assert {key: value.shape for key, value in tensors_by_key(modules).items()} == {
        key: tuple(value.shape) for key, value in network.state_dict().items()
    }


def test_a_pool_may_be_wrapped_and_layers_may_say_what_they_read(saved: tuple[Path, Network]) -> None:
    """As the authors' classes are: models.common.MP holds its pool as `m`, and `f` counts from the layer itself."""
    path, network = saved
    modules = modules_by_path(load(path)["model"])
    pool = modules["model.8"]
    modules["model.8.m"], modules["model.8"] = pool, Inert("models.common.MP")
    modules["model.8"].state = {"_modules": {"m": pool}, "f": -1}
    modules["model.3"].state["f"] = -2
    modules["model.6"].state["f"] = [-1, -2, -3, -4]
    modules["model.0"].state["f"] = -1
    check_modules(modules, network, "yolov7-tiny")


CHANGES: dict[str, tuple[str, str, Any, str]] = {
    "a slope": (
        "model.0.act",
        "negative_slope",
        0.2,
        "LeakyReLU at model.0.act has another negative_slope than .* 0.1",
    ),
    "an eps": ("model.9.bn", "eps", 1e-5, "BatchNorm2d at model.9.bn has another eps than .* 0.001"),
    "a stride": ("model.0.conv", "stride", (1, 1), r"Conv2d at model.0.conv has another stride than .* \(2, 2\)"),
    "a dilation": ("model.1.conv", "dilation", (2, 2), "has another dilation"),
    "an attribute of another type": ("model.1.conv", "padding", [[[]]], "has another padding"),
    "a pool": ("model.8", "kernel_size", 3, "MaxPool2d at model.8 has another kernel_size"),
    "an upsampling": ("model.39", "mode", "bilinear", "has another mode"),
    "a source": ("model.3", "f", -1, r"its layer 3 reads other layers than a yolov7-tiny's, which reads \(1,\)"),
    "a source that is none": ("model.3", "f", {}, "its layer 3 reads other layers"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_layer_that_computes_something_else_is_refused(name: str, saved: tuple[Path, Network]) -> None:
    path, attribute, value, message = CHANGES[name]
    modules = modules_by_path(load(saved[0])["model"])
    modules[path].state[attribute] = value
    with pytest.raises(Refused, match=message):
        check_modules(modules, saved[1], "yolov7-tiny")


@pytest.mark.parametrize(
    ("path", "name"), [("model.0.act", "torch.nn.modules.activation.Mish"), ("model.6", "models.common.Shortcut")]
)
def test_a_layer_of_another_kind_is_refused(path: str, name: str, saved: tuple[Path, Network]) -> None:
    modules = modules_by_path(load(saved[0])["model"])
    modules[path].name = name
    with pytest.raises(Refused, match=f"it has {name.rpartition('.')[2]} at {path}, not the"):
        check_modules(modules, saved[1], "yolov7-tiny")
    del modules[path]
    with pytest.raises(Refused, match=f"it has nothing at {path}, not the"):
        check_modules(modules, saved[1], "yolov7-tiny")


def test_a_checkpoint_with_another_slope_is_refused_in_one_line(tmp_path: Path) -> None:
    network = unsettled("yolov7-tiny")
    for module in network.modules():
        if isinstance(module, torch.nn.LeakyReLU):
            module.negative_slope = 0.2
    with pytest.raises(CheckpointError, match=r"x\.pt is refused: its LeakyReLU at") as caught:
        read_checkpoint(save_published(network, tmp_path / "x.pt", ["a", "b", "c", "d"]))
    assert "\n" not in str(caught.value)
