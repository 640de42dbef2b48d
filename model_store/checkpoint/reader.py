"""Recognise a YOLOv7 checkpoint by its tensors, and load it into our network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model_store.checkpoint.contents import Contents, read_contents
from model_store.checkpoint.modules import check_modules
from model_store.checkpoint.values import Refused
from model_store.coco import COCO_LABELS
from model_store.errors import CheckpointError
from model_store.files import file_sha256
from model_store.network.graph import Network
from model_store.network.variants import VARIANTS, build

ANCHORS_PER_SCALE = 3
OWN_LICENCE = "Apache-2.0"
# The largest public set of labels for detection, V3Det, has 13,204.
MAX_CLASSES = 20_000


@dataclass(frozen=True)
class Checkpoint:
    """A network with its trained weights, and the facts that the file gives.

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

    Raises CheckpointError for a file that cannot be read safely or does not hold a YOLOv7 network, and for one whose
    network would compute something else than ours.
    """
    contents = read_contents(path)
    variant, form, classes = _recognise(contents.shapes, path)
    labels = contents.labels
    if labels is None and classes == len(COCO_LABELS):
        labels = COCO_LABELS
    if labels is None or len(labels) != classes:
        known = "none" if labels is None else str(len(labels))
        raise CheckpointError(
            f"{path} has {classes} classes, but {known} of their names: put the list into its `names`"
        )
    network = _filled(contents, variant, form, classes, path)
    licence = "unknown: as the weights' owner says" if contents.input_size is None else OWN_LICENCE
    return Checkpoint(network, variant, form, labels, file_sha256(path), licence, contents.input_size)


def _recognise(shapes: Mapping[str, tuple[int, ...]], path: Path) -> tuple[str, str, int]:
    """Variant, form and number of classes, from keys and shapes alone."""
    heads = [shape[0] for key, shape in shapes.items() if key.endswith(".m.0.bias") and len(shape) == 1]
    classes = heads[0] // ANCHORS_PER_SCALE - 5 if len(heads) == 1 else 0
    if classes < 1:
        raise CheckpointError(f"{path} holds no YOLOv7 network: its tensors have no detection head")
    if classes > MAX_CLASSES:
        raise CheckpointError(f"{path} is refused: its network has {classes} classes; limit {MAX_CLASSES}")
    for variant in VARIANTS:
        for form in ("deploy", "training"):
            outline = _outline(variant, form)
            if shapes.keys() == outline.keys() and shapes == _with_classes(outline, classes):
                return variant, form, classes
    raise CheckpointError(f"{path} holds a network with {len(shapes)} tensors that is none of {', '.join(VARIANTS)}")


_OUTLINE_CLASSES = 9_973
"""Classes of the networks that others are compared with; no layer but the heads has as many channels as they cause."""


@cache
def _outline(variant: str, form: str) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = build(variant, _OUTLINE_CLASSES, training=form == "training")
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def _with_classes(outline: Mapping[str, tuple[int, ...]], classes: int) -> dict[str, tuple[int, ...]]:
    there, here = ((5 + count) * ANCHORS_PER_SCALE for count in (_OUTLINE_CLASSES, classes))
    return {key: tuple(here if side == there else side for side in shape) for key, shape in outline.items()}


def _filled(contents: Contents, variant: str, form: str, classes: int, path: Path) -> Network:
    """The network with the file's weights and anchors, in eval mode."""
    tensors = contents.read()
    network = build(variant, classes, training=form == "training", anchors=_anchors(tensors, path))
    network.load_state_dict(tensors)
    for key, value in network.state_dict().items():
        numbers = value.numpy()
        if not np.isfinite(numbers).all():
            raise CheckpointError(f"{path} is damaged: {key} has values that are infinite or not numbers")
        if key.endswith("running_var") and (numbers < 0).any():
            raise CheckpointError(f"{path} is damaged: {key} has negative values, which no variance has")
    if contents.modules is not None:
        try:
            check_modules(contents.modules, network, variant)
        except Refused as exc:
            raise CheckpointError(f"{path} is refused: {exc}") from None
    return network.eval()


def _anchors(tensors: Mapping[str, Tensor], path: Path) -> list[list[list[float]]]:
    """The anchors in pixels: training may have adapted them."""
    grid = next(value for key, value in tensors.items() if key.endswith(".anchor_grid")).float()
    if not (torch.isfinite(grid).all() and (grid > 0).all()):
        raise CheckpointError(f"{path} is damaged: its anchors are not positive numbers")
    anchors: list[list[list[float]]] = grid.flatten(1, 4).tolist()
    return anchors
