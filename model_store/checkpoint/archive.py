"""Read torch's zip archives: first plain data and descriptions of tensors, then the tensors that are asked for."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model_store.checkpoint.unpickle import MAX_PICKLE_BYTES, unpickle
from model_store.checkpoint.values import Refused, Storage, StoredTensor
from model_store.errors import CheckpointError

# The directory of the largest network (see unpickle.py) has 1,497 entries in 84,000 bytes.
MAX_DIRECTORY_BYTES = 1_000_000
# The largest network has 166.6 million numbers: 333 MB in fp16, in which training saves them, and 1.3 GB in fp64.
MAX_WEIGHT_BYTES = 2_000_000_000


def load(path: Path) -> Any:
    """What a torch archive holds: plain data, `StoredTensor` for tensors, and `Inert` in place of all other objects.

    Raises CheckpointError for a file that is not such an archive, is damaged or compressed, claims to be larger than it
    is, names anything outside the list, or needs more than any YOLOv7. No code in the file is executed.
    """
    with _opened(path) as archive:
        return unpickle(_small_entry(archive, f"{_prefix(archive, path)}data.pkl"))


def read_tensors(path: Path, stored: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
    """Read tensors that `load` described; those that share a storage share its memory. Raises CheckpointError."""
    storages = {tensor.storage for tensor in stored.values()}
    size = sum(storage.count * storage.dtype.itemsize for storage in storages)
    if size > MAX_WEIGHT_BYTES:
        raise CheckpointError(f"{path} is refused: its weights take {size} bytes; limit {MAX_WEIGHT_BYTES}")
    with _opened(path) as archive:
        prefix = _prefix(archive, path)
        read = {storage: _numbers(archive, prefix, storage) for storage in storages}
    return {
        key: read[tensor.storage].as_strided(tensor.shape, tensor.stride, tensor.offset)
        for key, tensor in stored.items()
    }


def _numbers(archive: zipfile.ZipFile, prefix: str, storage: Storage) -> Tensor:
    """All numbers of a storage: (count,)."""
    data = bytearray(archive.read(f"{prefix}data/{storage.key}"))
    if len(data) != storage.count * storage.dtype.itemsize:
        raise ValueError(f"storage {storage.key} has {len(data)} bytes, not {storage.count} numbers")
    return torch.frombuffer(data, dtype=storage.dtype) if data else torch.zeros(0, dtype=storage.dtype)


class _Frugal(io.BufferedReader):
    """A file of which one read takes at most `limit` bytes: zipfile reads a whole directory before it judges it."""

    limit = MAX_DIRECTORY_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(self.limit + 1 if size is None or size < 0 else min(size, self.limit + 1))
        if len(data) > self.limit:
            raise Refused(f"its directory has over {self.limit} bytes, many times what the largest YOLOv7 needs")
        return data


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive and check it; errors of its format, here and in the block, become CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist" if not path.exists() else f"{path} is not a file")
    try:
        with _Frugal(io.FileIO(path)) as file:
            if not zipfile.is_zipfile(file):
                raise CheckpointError(f"{path} is {_kind(path)}: give a checkpoint that torch 1.6 or later has saved")
            with zipfile.ZipFile(file) as archive:
                file.limit = MAX_WEIGHT_BYTES
                _check_entries(archive, path)
                yield archive
    except Refused as exc:
        raise CheckpointError(f"{path} is refused: {exc}") from None
    except (OSError, zipfile.BadZipFile, EOFError, RuntimeError, ValueError, LookupError, struct.error) as exc:
        raise CheckpointError(f"{path} is damaged ({_line(exc)}): get it again") from None


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith((b"\x80\x02\x8a\x0a", b"\x80\x02\x8a\x0al\xfc\x9cF")):
        return "in torch's format from before 1.6"
    if start.startswith(b"PK"):
        return "a truncated archive"
    return "not a torch checkpoint"


def _line(exc: BaseException) -> str:
    return (str(exc).strip() or type(exc).__name__).splitlines()[0][:200]


def _check_entries(archive: zipfile.ZipFile, path: Path) -> None:
    """torch never compresses: an archive that does, or whose parts overlap, was made to be larger inside."""
    entries = archive.infolist()
    squeezed = [info.filename for info in entries if info.compress_type != zipfile.ZIP_STORED]
    if squeezed:
        raise Refused(f"{squeezed[0][:100]} is compressed, which torch never does")
    size, claimed = path.stat().st_size, sum(info.file_size for info in entries)
    if claimed > size:
        raise Refused(f"its parts claim {claimed} bytes, the file has {size}")


def _small_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """An entry that is not a storage."""
    size = archive.getinfo(name).file_size
    if size > MAX_PICKLE_BYTES:
        raise Refused(f"{name[:100]} has {size} bytes; limit {MAX_PICKLE_BYTES}")
    return archive.read(name)


def _prefix(archive: zipfile.ZipFile, path: Path) -> str:
    """The folder inside the archive that holds the pickle and its storages."""
    programs = [name for name in archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(programs) != 1:
        raise CheckpointError(f"{path} is not a torch checkpoint: it holds {len(programs)} data.pkl, not one")
    prefix = programs[0].removesuffix("data.pkl")
    order = f"{prefix}byteorder"
    if order in archive.namelist() and _small_entry(archive, order) != b"little":
        raise CheckpointError(f"{path} was saved on a big-endian machine: save it again on another")
    return prefix
