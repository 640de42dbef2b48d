"""Recognise a YOLOv7 checkpoint by what is in it, and load it into our network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from model_store.checkpoint.unpickle import Inert, load
from model_store.coco import COCO_LABELS
from model_store.errors import CheckpointError
from model_store.files import file_sha256
from model_store.network.graph import Network
from model_store.network.variants import VARIANTS, build

ANCHORS_PER_SCALE = 3
OWN_LICENCE = "Apache-2.0"


@dataclass(frozen=True)
class Checkpoint:
    """A network with its trained weights, and what the file says of it.

    `form` is `training` (implicit knowledge, auxiliary heads) or `deploy`; `input_size` is known only for checkpoints
    of `model_store.training`.
    """

    network: Network
    variant: str
    form: str
    labels: tuple[str, ...]
    sha256: str
    licence: str
    input_size: int | None = None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read weights of any variant, in either form, with any number of classes, from a .pt or .safetensors file.

    Raises CheckpointError for a file that cannot be read safely or does not hold a YOLOv7 network.
    """
    if path.suffix == ".safetensors":
        tensors, labels, activations = _from_safetensors(path)
        size = None
    else:
        tensors, labels, activations, size = _from_archive(path)
    variant, form, classes = _recognise(tensors, path)
    if labels is None and classes == len(COCO_LABELS):
        labels = COCO_LABELS
    if labels is None or len(labels) != classes:
        known = "none" if labels is None else str(len(labels))
        raise CheckpointError(
            f"{path} has {classes} classes, but {known} of their names: put the list into its `names`"
        )
    network = build(variant, classes, training=form == "training", anchors=_anchors(tensors, path))
    expected = {type(m).__name__ for m in network.modules() if type(m).__name__ in ("SiLU", "LeakyReLU")}
    if activations and activations != expected:
        raise CheckpointError(f"{path} is a {variant} with {', '.join(sorted(activations))}, not {', '.join(expected)}")
    network.load_state_dict({key: value.float() for key, value in tensors.items()})
    licence = "unknown: as the weights' owner says" if size is None else OWN_LICENCE
    return Checkpoint(network.eval(), variant, form, labels, file_sha256(path), licence, size)


def _from_archive(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...] | None, set[str], int | None]:
    """Tensors by key, labels, names of activations, and the input size, of a torch archive."""
    data = load(path)
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} holds a {_called(data)}, not the dictionary that YOLOv7's training writes")
    if isinstance(data.get("state_dict"), dict) and "labels" in data:  # Of model_store.training.
        return dict(data["state_dict"]), tuple(data["labels"]), set(), int(data["input_size"])
    model = data["ema"] if data.get("ema") is not None else data.get("model")
    if isinstance(model, dict) and model and all(isinstance(value, Tensor) for value in model.values()):
        return dict(model), _labels(data.get("names")), set(), None
    if not isinstance(model, Inert):
        raise CheckpointError(f"{path} holds no network: neither `ema` nor `model` is one")
    tensors = dict(_tensors(model))
    activations = {m.name.rpartition(".")[2] for m in _modules(model)} & {"SiLU", "LeakyReLU", "ReLU", "Hardswish"}
    return tensors, _labels(model.state.get("names")), activations, None


def _from_safetensors(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...] | None, set[str]]:
    """Tensors by key, and labels, of a safetensors file; these are a JSON list in its metadata, under `names`."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            names = (file.metadata() or {}).get("names")
        return tensors, _labels(json.loads(names)) if names else None, set()
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist") from None
    except (SafetensorError, ValueError, OSError) as exc:
        raise CheckpointError(f"{path} is not a safetensors file ({str(exc)[:150]}): get it again") from None


def _labels(names: object) -> tuple[str, ...] | None:
    """Labels from a list, or from a dictionary of index to label."""
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[index] for index in range(len(names))]
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


def _called(value: object) -> str:
    return value.name if isinstance(value, Inert) else type(value).__name__


def _modules(module: Inert) -> Iterator[Inert]:
    """A module and all below it."""
    yield module
    for child in _part(module, "_modules").values():
        if isinstance(child, Inert):
            yield from _modules(child)


def _tensors(module: Inert, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """The state dict of a module that is only a stand-in."""
    for kind in ("_parameters", "_buffers"):
        for name, value in _part(module, kind).items():
            if isinstance(value, Tensor):
                yield f"{prefix}{name}", value
    for name, child in _part(module, "_modules").items():
        if isinstance(child, Inert):
            yield from _tensors(child, f"{prefix}{name}.")


def _part(module: Inert, kind: str) -> Mapping[str, Any]:
    part = module.state.get(kind)
    return part if isinstance(part, dict) else {}


def _recognise(tensors: Mapping[str, Tensor], path: Path) -> tuple[str, str, int]:
    """Variant, form and number of classes, from keys and shapes alone."""
    heads = [value.shape[0] for key, value in tensors.items() if key.endswith(".m.0.bias") and value.ndim == 1]
    classes = heads[0] // ANCHORS_PER_SCALE - 5 if len(heads) == 1 else 0
    if classes < 1:
        raise CheckpointError(f"{path} holds no YOLOv7 network: its tensors have no detection head")
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    for variant in VARIANTS:
        for form in ("deploy", "training"):
            if shapes == _shapes(variant, form, classes):
                return variant, form, classes
    raise CheckpointError(f"{path} holds a network with {len(shapes)} tensors that is none of {', '.join(VARIANTS)}")


@cache
def _shapes(variant: str, form: str, classes: int) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = build(variant, classes, training=form == "training")
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def _anchors(tensors: Mapping[str, Tensor], path: Path) -> list[list[list[float]]]:
    """The anchors in pixels: training may have adapted them."""
    grid = next(value for key, value in tensors.items() if key.endswith(".anchor_grid")).float()
    if not (torch.isfinite(grid).all() and (grid > 0).all()):
        raise CheckpointError(f"{path} is damaged: its anchors are not positive numbers")
    anchors: list[list[list[float]]] = grid.flatten(1, 4).tolist()
    return anchors
