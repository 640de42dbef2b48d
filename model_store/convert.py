"""Convert weights to a model folder: network, weights and card. This needs torch."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import torch

from detection.card import CARD, RANDOM_SUFFIX, ModelCard
from model_store.checkpoint.reader import OWN_LICENCE, read_checkpoint
from model_store.coco import COCO_LABELS
from model_store.errors import CheckpointError
from model_store.export import save, to_openvino
from model_store.network.graph import Network
from model_store.network.variants import VARIANTS, build
from model_store.store import content_version

INPUT_SIZES = {variant: 1280 if variant.endswith(("6", "6e")) else 640 for variant in VARIANTS}


def random_network(variant: str, seed: int = 0) -> Network:
    """A network of 80 classes that takes as long as a trained one, and finds nothing."""
    torch.manual_seed(seed)
    network = build(variant, len(COCO_LABELS))
    _settle(network)
    return network


def from_random(variant: str, folder: Path, *, precision: str = "fp16", seed: int = 0) -> ModelCard:
    """Write a randomly initialised model, named after its variant with RANDOM_SUFFIX: right speed, wrong answers."""
    return write_model(
        random_network(variant, seed),
        folder,
        precision=precision,
        name=variant + RANDOM_SUFFIX,
        variant=variant,
        labels=COCO_LABELS,
        input_size=INPUT_SIZES[variant],
        random=True,
        source=f"random weights, seed {seed}",
        licence=OWN_LICENCE,
    )


def _settle(network: Network) -> None:
    """Give the batch norms the statistics of their inputs, so that activations stay in the range of trained ones.

    Otherwise activations would vanish or overflow, and the timing would not be representative. The biases of the head
    make objects rare.
    """
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # This averages over all batches.
    side = 4 * network.stride
    with torch.no_grad():
        network.train()(torch.rand(4, 3, side, side))
        for conv in network.head.m:
            assert isinstance(conv, torch.nn.Conv2d)
            conv.weight.normal_(0, 0.01)
            assert conv.bias is not None
            conv.bias.view(len(network.head.anchors[0]), -1)[:, 4] = -4.6  # sigmoid: 0.01
    network.eval()


def from_checkpoint(
    weights: Path,
    folder: Path,
    *,
    name: str,
    precision: str = "fp16",
    input_size: int | None = None,
    source: str | None = None,
    licence: str | None = None,
) -> ModelCard:
    """Write a model from a checkpoint of any variant, official or fine-tuned; raises CheckpointError.

    `input_size` is the input's long side in pixels; the default is the checkpoint's own, else the variant's.
    """
    checkpoint = read_checkpoint(weights)
    size = input_size or checkpoint.input_size or INPUT_SIZES[checkpoint.variant]
    if size % checkpoint.network.stride:
        raise CheckpointError(
            f"input size {size} is not a multiple of {checkpoint.network.stride}, the stride of {checkpoint.variant}"
        )
    return write_model(
        checkpoint.network,
        folder,
        precision=precision,
        name=name,
        variant=checkpoint.variant,
        form=checkpoint.form,
        labels=checkpoint.labels,
        input_size=size,
        source=source or weights.name,
        source_sha256=checkpoint.sha256,
        licence=licence or checkpoint.licence,
    )


def write_model(network: Network, folder: Path, *, precision: str, **facts: Any) -> ModelCard:
    """Convert a network to a model folder; `facts` are the card's fields that the network does not have."""
    save(to_openvino(network), folder, precision)
    head = network.head
    card = ModelCard(
        version="to be computed",
        anchors=tuple(tuple((float(w), float(h)) for w, h in scale) for scale in head.anchor_grid.flatten(1, 4)),
        strides=head.strides,
        precision=precision,
        tools={name: importlib.metadata.version(name) for name in ("torch", "openvino")},
        **facts,
    )
    card = card.model_copy(update={"version": content_version(folder, card)})
    (folder / CARD).write_text(card.model_dump_json(indent=2) + "\n")
    return card
