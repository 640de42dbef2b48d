"""Read torch's zip archives without running anything that stands in them.

A pickle is a program: reading it calls whatever it names. Here every name is looked up in a short list, and what it
finds there are inert stand-ins that only remember what they were given. Before that, the program is read through once
without being run, so that a file that is damaged, or made to do harm, is refused as a whole.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model_store.errors import CheckpointError

MAX_PICKLE_BYTES = 64_000_000
MAX_FILE_BYTES = 8_000_000_000

_STORAGES = {
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

# Python 2's module name is what pickles of protocol 2 use.
_BUILTINS: dict[str, type] = {
    f"{module}.{kind.__name__}": kind
    for module in ("builtins", "__builtin__")
    for kind in (
        set,
        frozenset,
        list,
        dict,
        tuple,
    )  # No bytes or bytearray: given a number, they take that much memory.
}

_MEMO_OPCODES = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"})
_FORBIDDEN_OPCODES = frozenset({"INST", "OBJ", "EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER", "READONLY_BUFFER"})


class Inert:
    """Stands in for an object of a class that is not loaded: `state` is what the pickle gave it."""

    name = ""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.args = args
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.state = state

    # What pickles do to lists and dictionaries they may do to a stand-in, without effect.
    def append(self, _: object) -> None:
        """Take an item, and forget it."""

    def extend(self, _: object) -> None:
        """Take items, and forget them."""

    def __setitem__(self, _key: object, _value: object) -> None:
        """Take an item, and forget it."""

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True)
class _Storage:
    """A tensor's bytes: an entry of the archive."""

    dtype: torch.dtype
    key: str
    count: int


def load(path: Path) -> Any:
    """What a torch archive holds: plain data, tensors, and `Inert` in place of all other objects.

    Raises CheckpointError for a file that is not such an archive, is damaged or compressed, claims to be larger than it
    is, or names anything outside the list. No code in the file is executed.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise CheckpointError(f"{path} is {_kind(path)}: give a checkpoint that torch 1.6 or later has saved")
        with zipfile.ZipFile(path) as archive:
            return _Archive(path, archive).read()
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist") from None
    except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as exc:
        raise CheckpointError(f"{path} is damaged ({_line(exc)}): get it again") from None


def _kind(path: Path) -> str:
    start = path.read_bytes()[:16] if path.stat().st_size < MAX_FILE_BYTES else b""
    if start.startswith(b"\x80\x02\x8a\x0a") or start.startswith(b"\x80\x02\x8a\x0al\xfc\x9cF"):
        return "in torch's format from before 1.6"
    if start.startswith(b"PK"):
        return "a truncated archive"
    return "not a torch checkpoint"


def _line(exc: BaseException) -> str:
    return (str(exc).strip() or type(exc).__name__).splitlines()[0][:200]


class _Archive:
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self.archive = archive
        self.entries = {info.filename: info for info in archive.infolist()}
        self._check_sizes()
        pickles = [name for name in self.entries if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise CheckpointError(f"{path} is not a torch checkpoint: it holds {len(pickles)} data.pkl, not one")
        self.program = pickles[0]
        self.prefix = self.program.removesuffix("data.pkl")

    def _check_sizes(self) -> None:
        """torch never compresses: an archive that does, or whose parts overlap, was made to be larger inside."""
        squeezed = [name for name, info in self.entries.items() if info.compress_type != zipfile.ZIP_STORED]
        if squeezed:
            raise CheckpointError(f"{self.path} is refused: {squeezed[0][:100]} is compressed, which torch never does")
        size = self.path.stat().st_size
        claimed = sum(info.file_size for info in self.entries.values())
        if claimed > size:
            raise CheckpointError(f"{self.path} is refused: its parts claim {claimed} bytes, the file has {size}")

    def read(self) -> Any:
        """Check the program, then run it with stand-ins."""
        info = self.entries[self.program]
        if info.file_size > MAX_PICKLE_BYTES:
            raise CheckpointError(
                f"{self.path} is refused: a pickle of {info.file_size} bytes; limit {MAX_PICKLE_BYTES}"
            )
        self._check_byte_order()
        data = self.archive.read(self.program)
        self._check_program(data)
        try:
            return _Unpickler(data, self).load()
        except (pickle.UnpicklingError, ValueError, TypeError, KeyError, AttributeError, IndexError) as exc:
            raise CheckpointError(f"{self.path} is damaged ({_line(exc)}): get it again") from None
        except (MemoryError, OverflowError, RecursionError):
            raise CheckpointError(f"{self.path} is refused: it asks for more memory than it can need") from None

    def _check_byte_order(self) -> None:
        name = f"{self.prefix}byteorder"
        if name in self.entries and self.archive.read(name) != b"little":
            raise CheckpointError(f"{self.path} was saved on a big-endian machine: save it again on another")

    def _check_program(self, data: bytes) -> None:
        """Read the pickle through without running it; names that it puts together are seen when it runs."""
        try:
            for opcode, argument, _ in pickletools.genops(data):
                if opcode.name in _FORBIDDEN_OPCODES:
                    raise CheckpointError(
                        f"{self.path} is refused: its pickle uses {opcode.name}, which torch never does"
                    )
                if opcode.name in _MEMO_OPCODES and int(str(argument)) > len(data):
                    raise CheckpointError(f"{self.path} is refused: it asks for more memory than it can need")
                if opcode.name == "GLOBAL":
                    self.find(*str(argument).split(" ", 1))
        except (ValueError, IndexError, TypeError) as exc:
            raise CheckpointError(f"{self.path} is damaged ({_line(exc)}): get it again") from None

    def find(self, module: str, name: str) -> Any:
        """What a name of the pickle stands for; raises CheckpointError for one that is not in the list."""
        full = f"{module}.{name}"
        if full in _BUILTINS:
            return _BUILTINS[full]
        if full == "collections.OrderedDict":
            return OrderedDict
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return _STORAGES[name]
        if full in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"):
            return {"_rebuild_tensor_v2": self.tensor, "_rebuild_parameter": _first}[name]
        below = any(module == top or module.startswith(f"{top}.") for top in _INERT_MODULES)
        if full in _INERT_NAMES or (below and name.isidentifier()):
            # A new class for each: what a pickle does to a class must not outlast the reading.
            return type("Inert", (Inert,), {"name": full})
        raise CheckpointError(f"{self.path} is refused: it names {full[:100]}, which no YOLOv7 checkpoint needs")

    def tensor(self, storage: object, offset: int, size: Sequence[int], stride: Sequence[int], *_: object) -> Tensor:
        """Build a tensor from its bytes; a view that is larger than its bytes, or leaves them, is refused."""
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without its storage")
        steps = sum((n - 1) * s for n, s in zip(size, stride, strict=True))
        count = math.prod(int(n) for n in size)
        fits = min([0, offset, *size, *stride]) == 0 and count <= storage.count
        if not fits or (count and offset + steps >= storage.count):
            raise ValueError(f"a tensor of {tuple(size)} does not fit its storage of {storage.count}")
        data = bytearray(self.archive.read(f"{self.prefix}data/{storage.key}"))
        if len(data) != storage.count * storage.dtype.itemsize:
            raise ValueError(f"storage {storage.key} has {len(data)} bytes, not {storage.count} numbers")
        if not data:
            return torch.zeros(tuple(size), dtype=storage.dtype)
        flat = torch.frombuffer(data, dtype=storage.dtype)
        return flat.as_strided(tuple(size), tuple(stride), offset).clone()

    def storage(self, reference: object) -> _Storage:
        """A storage from torch's persistent id: ("storage", type, key, location, count)."""
        if not (isinstance(reference, tuple) and len(reference) == 5 and reference[0] == "storage"):
            raise ValueError("a persistent id that is not a storage")
        _, dtype, key, _, count = reference
        if not (isinstance(dtype, torch.dtype) and isinstance(key, str) and key.isdigit() and isinstance(count, int)):
            raise ValueError("a storage that is described wrongly")
        return _Storage(dtype, key, count)


def _first(value: object, *_: object) -> object:
    return value


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, archive: _Archive) -> None:
        super().__init__(io.BytesIO(data))
        self._archive = archive
        self._seen: dict[tuple[str, str], Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        key = (module, name)
        if key not in self._seen:
            self._seen[key] = self._archive.find(module, name)
        return self._seen[key]

    def persistent_load(self, reference: object) -> _Storage:
        return self._archive.storage(reference)
