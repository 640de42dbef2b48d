"""The values that reading a checkpoint gives, and the names that a checkpoint may use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

MAX_DIMENSIONS = 8  # Anchors have six, the most of any tensor in a YOLOv7.
MAX_INTEGER = 2**62

STORAGES = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

# Classes become stand-ins when their module is one of these, or below it.
_INERT_MODULES = ("models", "torch.nn.modules", "torch.nn.parameter", "torch.optim", "torch.cuda.amp")

_INERT_NAMES = frozenset(
    {
        "_codecs.encode",
        "argparse.Namespace",
        "numpy.dtype",
        "numpy.ndarray",
        "numpy.core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "pathlib.Path",
        "pathlib.PosixPath",
        "pathlib.WindowsPath",
        "torch.Size",
        "torch.device",
    }
)

# Pickles of protocol 2 use Python 2's module name.
COLLECTIONS: Mapping[str, type] = {
    f"{module}.{kind.__name__}": kind
    for module in ("builtins", "__builtin__")
    for kind in (set, frozenset, list, dict, tuple)
} | {"collections.OrderedDict": dict}

TENSOR, PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"


class Refused(Exception):
    """The pickle does, names or needs something that no YOLOv7 checkpoint does, names or needs."""


class Inert:
    """Stands in for an object of the class `name`: `state` is the dictionary of its attributes."""

    __slots__ = ("name", "state")

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Storage:
    """The numbers of one or more tensors: an entry of the archive."""

    dtype: torch.dtype
    key: str
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A tensor that is not read yet; `offset` and `stride` count numbers of its storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """A class or function that the pickle names; it is never looked up."""

    full: str


def is_known(module: str, name: str) -> bool:
    """Whether a checkpoint may name this class or function."""
    full = f"{module}.{name}"
    if full in COLLECTIONS or full in _INERT_NAMES or full in (TENSOR, PARAMETER):
        return True
    storage = module in ("torch", "torch.storage") and name in STORAGES
    below = any(module == top or module.startswith(f"{top}.") for top in _INERT_MODULES)
    return storage or (below and name.isidentifier())


def to_key(value: Any) -> Any:
    """A key of a dictionary or an element of a set: only values whose hash is cheap and cannot be made to collide."""
    if value is None or isinstance(value, str | bytes) or (isinstance(value, int) and abs(value) < MAX_INTEGER):
        return value
    raise Refused(f"its pickle uses a {type(value).__name__} as a key, which no YOLOv7 checkpoint does")


def to_storage(reference: object) -> Storage:
    """A storage from torch's persistent id: ("storage", type, key, location, count)."""
    if not isinstance(reference, tuple) or len(reference) != 5:
        raise ValueError("a persistent id that is not a storage")
    _, kind, key, _, count = reference
    dtype = STORAGES.get(kind.full.rpartition(".")[2]) if isinstance(kind, Name) else None
    if dtype is None or not (isinstance(key, str) and key.isdigit() and _is_count(count)):
        raise ValueError("a storage that is described wrongly")
    return Storage(dtype, key, count)


def to_tensor(arguments: tuple[Any, ...]) -> StoredTensor:
    """A tensor from the arguments of torch's `_rebuild_tensor_v2`; it must not leave its storage or be larger."""
    if len(arguments) < 4 or not isinstance(arguments[0], Storage):
        raise ValueError("a tensor without its storage")
    storage, offset, shape, stride = arguments[:4]
    if not (isinstance(shape, tuple) and isinstance(stride, tuple) and len(shape) == len(stride) <= MAX_DIMENSIONS):
        raise ValueError("a tensor that is described wrongly")
    fits = all(map(_is_count, (offset, *shape, *stride)))
    if fits and (count := math.prod(shape)):
        steps = sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
        fits = count <= storage.count and offset + steps < storage.count
    if not fits:
        sides = "x".join(str(n) if _is_count(n) else "?" for n in shape)
        raise ValueError(f"a tensor of {sides} does not fit its storage of {storage.count}")
    return StoredTensor(storage, offset, shape, stride)


def to_parameter(arguments: tuple[Any, ...]) -> StoredTensor:
    """The tensor of a parameter."""
    if not arguments or not isinstance(arguments[0], StoredTensor):
        raise ValueError("a parameter without its tensor")
    return arguments[0]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < MAX_INTEGER
