"""Models in BentoML's model store; no other module of this package imports bentoml."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bentoml
from bentoml.exceptions import BentoMLException, NotFound

from detection.card import CARD, NETWORK, WEIGHTS, ModelCard, read_card
from model_store.errors import ArgumentError, StoreError
from model_store.files import write_atomically

# The model that comes with the project.
BUNDLED = Path(__file__).parent / "bundled"
TRAINED = Path(__file__).parent / "training" / "trained"
"""The bundled model as it was trained, in fp16: the int8 model is made from it."""

# Marks our models among others in the same store.
LABELS = {"framework": "openvino", "family": "yolov7"}


MAX_NAME = 63
"""Characters of a name: BentoML's limit."""


def check_name(name: str) -> None:
    """Raise ArgumentError for a name that BentoML cannot store; it would store one with capitals, but never find it."""
    if len(name) > MAX_NAME or not re.fullmatch("[a-z0-9]([-._a-z0-9]*[a-z0-9])?", name):
        raise ArgumentError(
            f"{name[:MAX_NAME]!r} cannot be a model's name: take 1 to {MAX_NAME} of a-z, 0-9, '-', '_' and '.', "
            "with a letter or digit at both ends"
        )


def content_version(folder: Path, card: ModelCard) -> str:
    """The version of a model: 12 hex digits of the SHA-256 of everything that changes its detections.

    These are the network, its weights, and the card's labels, anchors, strides and input size.
    """
    digest = hashlib.sha256(json.dumps([card.labels, card.anchors, card.strides, card.input_size]).encode())
    for name in (NETWORK, WEIGHTS):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:12]


def put(folder: Path) -> bentoml.Tag:
    """Copy a model folder into BentoML's model store, unless it has this version already; returns the tag."""
    card = read_card(folder)
    tag = bentoml.Tag(card.name, card.version)
    try:
        return bentoml.models.get(tag).tag
    except NotFound:
        pass
    metadata = _without_none(json.loads(card.model_dump_json()))
    with bentoml.models.create(tag, labels=LABELS, metadata=metadata) as model:
        copy_model(folder, Path(model.path))
    return tag


def copy_model(folder: Path, place: Path) -> None:
    """Copy the files of a model into another folder."""
    for name in (NETWORK, WEIGHTS, CARD):
        shutil.copyfile(folder / name, place / name)


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are not None, at any depth: BentoML refuses None in metadata."""
    known = {key: value for key, value in values.items() if value is not None}
    return {key: _without_none(value) if isinstance(value, dict) else value for key, value in known.items()}


def find(name: str) -> Path:
    """The folder of a stored model, by tag: a name for the latest version, or name:version.

    Raises StoreError when there is none, or when it was renamed: the name must show random weights.
    """
    try:
        model = bentoml.models.get(name)
    except (NotFound, BentoMLException, ValueError):
        raise StoreError(
            f"MODEL {name} is not in BentoML's model store: see python -m model_store list, "
            "or add it with python -m model_store add"
        ) from None
    folder = Path(model.path)
    own_name = read_card(folder).name
    if own_name != model.tag.name:
        raise StoreError(f"MODEL {name} is really {own_name}: ask for it by that name")
    return folder


def located(name: str, folder: str = "") -> Path:
    """The model folder to serve: `folder` if it is given, else the folder of the stored model `name`.

    Raises StoreError or ModelError when it cannot be served.
    """
    if not folder:
        return find(name)
    read_card(Path(folder))
    return Path(folder)


def record_evaluation(name: str, evaluation: dict[str, Any]) -> None:
    """Write the latest evaluation of a stored model into its card; the version does not depend on it."""
    folder = find(name)
    card = read_card(folder)
    known = {**(card.evaluation or {}), "latest": evaluation}
    text = card.model_copy(update={"evaluation": known}).model_dump_json(indent=2)
    write_atomically(folder / CARD, text.encode())


def verify(name: str) -> bentoml.Tag:
    """Compute a stored model's version from its files and return its tag; raises StoreError when they have changed."""
    folder = find(name)
    card = read_card(folder)
    found = content_version(folder, card)
    if found != card.version:
        raise StoreError(
            f"{card.name}:{card.version} has changed: its files now make {found}; remove it and add it again"
        )
    return bentoml.Tag(card.name, card.version)


def remove(name: str) -> bentoml.Tag:
    """Delete one version of a model; raises StoreError when there is none, or when no version is named."""
    tag = bentoml.models.get(name).tag if ":" in name and find(name) else None
    if tag is None or tag.version != name.partition(":")[2]:
        raise StoreError(f"say which version of {name} to remove: name:version, see python -m model_store list")
    bentoml.models.delete(tag)
    return tag


def downloads() -> Path:
    """The folder of downloaded checkpoints and their checksums, in BentoML's home."""
    return Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml") / "yolov7-downloads"


def cards() -> Iterator[ModelCard]:
    """The cards of all models in the store that this package put there, newest first."""
    models = [m for m in bentoml.models.list() if (Path(m.path) / CARD).is_file()]
    for model in sorted(models, key=lambda m: m.creation_time, reverse=True):
        yield read_card(Path(model.path))
