"""From weights to a model folder: network, weights and card. This is where torch is needed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import pickle
from pathlib import Path
from typing import Any

import torch

from detection.errors import SetupError
from detection.model import CARD, RANDOM_SUFFIX, ModelCard
from model_store.coco import COCO_LABELS
from model_store.export import save, to_openvino
from model_store.network import Network
from model_store.store import content_version
from model_store.variants import build

INPUT_SIZES = {"yolov7-tiny": 640, "yolov7-w6": 1280}
OWN_LICENCE = "Apache-2.0"


def random_network(variant: str, seed: int = 0) -> Network:
    """A network of 80 classes that is as much work as a trained one, and finds nothing."""
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

    Otherwise they would die out or overflow on the way, and time would be lost, or won, on numbers that no trained
    network has. The head is told that objects are rare.
    """
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # Average, do not decay.
    side = 4 * network.stride
    with torch.no_grad():
        network.train()(torch.rand(4, 3, side, side))
        for conv in network.head.m:
            assert isinstance(conv, torch.nn.Conv2d)
            conv.weight.normal_(0, 0.01)
            assert conv.bias is not None
            conv.bias.view(len(network.head.anchors[0]), -1)[:, 4] = -4.6  # sigmoid: 0.01
    network.eval()


def from_training(checkpoint: Path, folder: Path, *, name: str, precision: str = "fp16") -> ModelCard:
    """Write a model from a checkpoint of `python -m model_store.training`; raises SetupError for any other file."""
    try:
        data: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        network = build(data["variant"], len(data["labels"]), training=True, anchors=data["anchors"])
        network.load_state_dict(data["state_dict"])
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as exc:
        reason = (str(exc).strip() or type(exc).__name__).splitlines()[0][:200]
        raise SetupError(f"{checkpoint} is no checkpoint of python -m model_store.training ({reason})") from None
    return write_model(
        network,
        folder,
        precision=precision,
        name=name,
        variant=data["variant"],
        labels=tuple(data["labels"]),
        input_size=data["input_size"],
        random=False,
        source="python -m model_store.training",
        source_sha256=hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        licence=OWN_LICENCE,
    )


def write_model(network: Network, folder: Path, *, precision: str, **facts: Any) -> ModelCard:
    """Convert a network into a model folder; the facts are the card's fields that the network does not know."""
    save(to_openvino(network), folder, precision)
    head = network.head
    card = ModelCard(
        version=content_version(folder),
        anchors=tuple(tuple((float(w), float(h)) for w, h in scale) for scale in head.anchor_grid.flatten(1, 4)),
        strides=head.strides,
        precision=precision,
        tools={name: importlib.metadata.version(name) for name in ("torch", "openvino")},
        **facts,
    )
    (folder / CARD).write_text(card.model_dump_json(indent=2) + "\n")
    return card
