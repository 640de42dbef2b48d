"""What a checkpoint file holds, before its network is recognised: .pt and .safetensors alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from detection.errors import PrintableError
from model_store.checkpoint.archive import MAX_DIRECTORY_BYTES, MAX_WEIGHT_BYTES, load, read_tensors
from model_store.checkpoint.modules import modules_by_path, tensors_by_key
from model_store.checkpoint.values import Inert, Refused, StoredTensor
from model_store.errors import CheckpointError

MAX_LABEL = 100  # The longest label of COCO has 14 characters, the longest of LVIS 31.


@dataclass(frozen=True)
class Contents:
    """The tensors' shapes by key, and facts of a file; `read` reads the tensors.

    `modules` are the pickled modules by path, where the file has them; `input_size` is in pixels, where it is known.
    """

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[], dict[str, Tensor]]
    labels: tuple[str, ...] | None
    modules: Mapping[str, Inert] | None = None
    input_size: int | None = None


def read_contents(path: Path) -> Contents:
    """Read all but the tensors of a checkpoint; raises CheckpointError."""
    try:
        return _from_safetensors(path) if path.suffix == ".safetensors" else _from_archive(path)
    except Refused as exc:
        raise CheckpointError(f"{path} is refused: {exc}") from None


def _from_archive(path: Path) -> Contents:
    data = load(path)
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} holds a {_called(data)}, not the dictionary that YOLOv7's training writes")
    if isinstance(data.get("state_dict"), dict) and "labels" in data:  # Of model_store.training.
        size = data.get("input_size")
        if not isinstance(size, int) or not 0 < size < 2**31:
            raise Refused("its `input_size` is not a number of pixels")
        return _of_tensors(data["state_dict"], path, _labels(data["labels"]), input_size=size)
    model = data["ema"] if data.get("ema") is not None else data.get("model")
    if isinstance(model, dict) and model:
        return _of_tensors(model, path, _labels(data.get("names")))
    if not isinstance(model, Inert):
        raise CheckpointError(f"{path} holds no network: neither `ema` nor `model` is one")
    modules = modules_by_path(model)
    return _of_tensors(tensors_by_key(modules), path, _labels(model.state.get("names")), modules=modules)


def _of_tensors(stored: dict[Any, Any], path: Path, labels: tuple[str, ...] | None, **facts: Any) -> Contents:
    if not all(isinstance(key, str) and isinstance(value, StoredTensor) for key, value in stored.items()):
        raise Refused("its dictionary of weights has something else than names and tensors")
    shapes = {key: value.shape for key, value in stored.items()}
    return Contents(shapes, partial(read_tensors, path, stored), labels, **facts)


def _from_safetensors(path: Path) -> Contents:
    """Labels are a JSON list in the metadata, under `names`."""
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist" if not path.exists() else f"{path} is not a file")
    try:
        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if MAX_DIRECTORY_BYTES < header < path.stat().st_size:
            raise Refused(f"its header has {header} bytes; limit {MAX_DIRECTORY_BYTES}")
        with safe_open(path, "pt") as tensors:
            names = (tensors.metadata() or {}).get("names")
            shapes = {key: tuple(tensors.get_slice(key).get_shape()) for key in tensors.keys()}  # noqa: SIM118
        return Contents(shapes, partial(_read_safetensors, path), _labels(json.loads(names)) if names else None)
    except (SafetensorError, ValueError, OSError, RecursionError) as exc:
        raise CheckpointError(f"{path} is not a safetensors file ({str(exc)[:150]}): get it again") from None


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    if path.stat().st_size > MAX_WEIGHT_BYTES:
        raise CheckpointError(f"{path} is refused: it has {path.stat().st_size} bytes; limit {MAX_WEIGHT_BYTES}")
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def _labels(names: object) -> tuple[str, ...] | None:
    """Labels from a list, or from a dictionary of index to label; None where there is neither."""
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return None
    for index, name in enumerate(names):
        # What an error would have to escape cannot be printed or sent.
        if not name.strip() or len(name) > MAX_LABEL or str(PrintableError(name)) != name:
            raise Refused(f"label {index} is {name[:MAX_LABEL]!r}; a label is 1 to {MAX_LABEL} printable characters")
    return tuple(names)


def _called(value: object) -> str:
    return value.name[:100] if isinstance(value, Inert) else type(value).__name__
