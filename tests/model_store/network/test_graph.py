"""Our networks against the facts of the published ones: keys, shapes, parameters, anchors."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import nn

from model_store.network.blocks import ReOrg
from model_store.network.graph import Network
from model_store.network.heads import IAuxDetect, decode
from model_store.network.variants import VARIANTS, build


@dataclass(frozen=True)
class Facts:
    """What is known of a published network: one line each for its parameters, anchors, strides, sources, and tensors.

    A line `name.bn 64` stands for the five tensors of a batch norm of 64 channels.
    """

    parameters: int
    anchors: list[list[list[float]]]
    strides: list[int]
    sources: list[list[int]]
    shapes: dict[str, list[int]]

    @classmethod
    def read(cls, file: Path) -> Facts:
        head, lines = {}, file.read_text().splitlines()
        for line in lines[:4]:
            name, _, value = line.partition(" ")
            head[name] = json.loads(value)
        shapes: dict[str, list[int]] = {}
        for line in lines[4:]:
            key, *sizes = line.split()
            shape = [int(size) for size in sizes]
            if key.endswith((".weight", ".bias", ".implicit", ".anchors", ".anchor_grid")):
                shapes[key] = shape
            else:
                shapes |= {f"{key}.{part}": shape for part in ("weight", "bias", "running_mean", "running_var")}
                shapes[f"{key}.num_batches_tracked"] = []
        return cls(**head, shapes=shapes)


FACTS = {file.stem: Facts.read(file) for file in sorted((Path(__file__).parent / "facts").glob("*.txt"))}


def built(name: str) -> Network:
    variant, _, form = name.rpartition("-")
    return build(variant, training=form == "training")


@functools.cache
def outlined(name: str) -> Network:
    """The network without memory for its weights: its keys, shapes and connections."""
    with torch.device("meta"):
        return built(name)


def unfilled(variant: str, classes: int, training: bool) -> Network:
    """The network with arbitrary weights: to initialise them takes most of the time of building it."""
    with mock.patch.object(nn.Conv2d, "reset_parameters"):
        return build(variant, classes, training=training)


def narrow(variant: str, training: bool = True) -> Network:
    """The unsettled network with an eighth of its channels: the same layers and connections, and little work."""
    network = unfilled(variant, 4, training)
    for module in network.modules():
        for name, tensor in module.named_parameters(recurse=False):
            kept = tuple(slice(size // 8 if size % 8 == 0 else size) for size in tensor.shape)
            setattr(module, name, nn.Parameter(tensor.detach()[kept].clone()))
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean, module.running_var = torch.zeros_like(module.weight), torch.ones_like(module.weight)
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.reset_parameters()
    return unsettle(network)


def unsettled(variant: str, training: bool = True) -> Network:
    """A network whose batch norms and implicit knowledge all do something, so that folding them wrongly shows."""
    torch.manual_seed(1)
    return unsettle(build(variant, 4, training=training))


def unsettle(network: Network) -> Network:
    """Give the batch norms and the implicit knowledge of a network random values, in place."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.normal_(module.bias, 0, 0.2)
    for name, parameter in network.named_parameters():
        if "implicit" in name:
            nn.init.normal_(parameter, 1 if ".im." in name else 0, 0.3)
    return network.eval()


def test_there_are_facts_of_every_variant_in_both_forms() -> None:
    assert set(FACTS) == {f"{variant}-{form}" for variant in VARIANTS for form in ("deploy", "training")}


@pytest.mark.parametrize("name", FACTS)
def test_keys_shapes_and_parameters_are_the_published_ones(name: str) -> None:
    network, facts = outlined(name), FACTS[name]
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == facts.shapes
    assert sum(p.numel() for p in network.parameters()) == facts.parameters


@pytest.mark.parametrize("name", FACTS)
def test_every_layer_reads_the_layers_it_reads_in_the_published_network(name: str) -> None:
    assert [list(sources) for sources in outlined(name).sources] == FACTS[name].sources


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.slow
def test_anchors_and_strides_are_the_published_ones(name: str) -> None:
    variant, _, form = name.rpartition("-")
    head, facts = unfilled(variant, 80, form == "training").head, FACTS[name]
    assert head.anchor_grid.flatten(1, 4).tolist() == facts.anchors
    assert list(head.strides) == facts.strides
    assert torch.equal(head.anchors * torch.tensor(head.strides).view(-1, 1, 1), head.anchor_grid.flatten(1, 4))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.slow
def test_folding_changes_nothing_but_the_work(variant: str, training: bool) -> None:
    network = narrow(variant, training)
    folded = network.fused()
    images = torch.rand(1, 3, 3 * network.stride, 2 * network.stride)
    with torch.no_grad():
        for before, after in zip(network(images), folded(images), strict=True):
            assert before.std() > 0.01
            torch.testing.assert_close(before, after, rtol=1e-3, atol=2e-3)
    kinds = {type(module) for module in folded.modules()}
    assert nn.BatchNorm2d not in kinds
    assert folded.head.__class__.__name__ == "Detect"
    assert len(folded.model) <= len(network.model) - (4 if isinstance(network.head, IAuxDetect) else 0)


def test_folding_leaves_the_network_itself_alone() -> None:
    network = unsettled("yolov7-tiny")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.fused()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_reorg_orders_the_channel_groups_as_published() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    groups = ReOrg()(image)[0]
    assert groups[:, 0, 0].tolist() == [0, 4, 1, 5]  # (row, column): even even, odd even, even odd, odd odd
    assert groups.shape == (4, 2, 2)


def test_decode_orders_rows_by_scale_anchor_row_and_column() -> None:
    network = build("yolov7-tiny", 2)
    maps = [torch.zeros(1, 21, 64 // s, 96 // s) for s in (8, 16, 32)]
    rows = decode(network.head, maps)[0]
    assert rows.shape == (3 * (8 * 12 + 4 * 6 + 2 * 3), 7)
    assert rows[0].tolist() == [4, 4, 10, 13, 0.5, 0.5, 0.5]
    assert rows[1, :2].tolist() == [12, 4]
    assert rows[12, :2].tolist() == [4, 12]
    assert rows[96, :4].tolist() == [4, 4, 16, 30]
    assert rows[-1, :4].tolist() == [80, 48, 373, 326]


def test_an_unknown_variant_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no YOLOv7 variant 'yolov9'; known: yolov7-tiny, yolov7, "):
        build("yolov9")
