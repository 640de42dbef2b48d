"""Checkpoints that mean harm: each is one clear line, nothing is run, and the process lives on."""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from model_store.checkpoint import archive as archives
from model_store.checkpoint.archive import load, read_tensors
from model_store.checkpoint.values import Inert, StoredTensor
from model_store.errors import CheckpointError

MARK = Path("/tmp/yolov7-a-checkpoint-ran")


class Calls:
    """Pickles to a call."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def archive(path: Path, program: bytes, compression: int = zipfile.ZIP_STORED, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("x/data.pkl", program)
        for name, data in entries.items():
            file.writestr(f"x/{name.replace('_', '/')}", data)
    return path


def text_global(module: str, name: str, rest: bytes) -> bytes:
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + rest


TOUCH = f"touch {MARK}"
TENSOR = (
    b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00%b%b\x89NtR."
)


def tensor_program(size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """A pickle that builds a tensor from a storage of four numbers."""
    parts = [pickle.dumps(value, 2)[2:-1].split(b"q\x00")[0] for value in (size, stride)]
    return TENSOR % (parts[0], parts[1])


PROGRAMS: dict[str, tuple[bytes, str]] = {
    "os.system": (pickle.dumps(Calls(os.system, TOUCH), 2), r"names (posix|nt)\.system"),
    "os.system, protocol 4": (pickle.dumps(Calls(os.system, TOUCH), 4), r"names (posix|nt)\.system"),
    "subprocess": (
        pickle.dumps(Calls(subprocess.Popen, ["touch", str(MARK)]), 2), r"names (commands|subprocess)\.Popen"),
    "eval": (pickle.dumps(Calls(eval, f"open({str(MARK)!r}, 'w')"), 2), r"names (__builtin__|builtins)\.eval"),
    "exec": (text_global("builtins", "exec", b"(X\x01\x00\x00\x001tR."), r"names builtins\.exec"),
    "getattr": (text_global(
        "builtins", "getattr", b"(cmodels.common\nConv\nX\x08\x00\x00\x00__init__tR."), r"names builtins\.getattr"),
    "a dotted name": (text_global("models.common", "Conv.__init__", b"."), r"names models\.common\.Conv\.__init__"),
    "nested reduce": (
        pickle.dumps({"model": [Calls(tuple, [Calls(os.system, TOUCH)])]}, 2), r"names (posix|nt)\.system"),
    "torch.load": (text_global("torch", "load", b"."), r"names torch\.load"),
    "torch.hub": (text_global("torch.hub", "load", b"."), r"names torch\.hub\.load"),
    "a module that is nearly allowed": (text_global("modelsx.common", "Conv", b"."), r"names modelsx\.common\.Conv"),
    "numpy's own loader": (text_global("numpy", "load", b"."), r"names numpy\.load"),
    "an extension code": (b"\x80\x02\x82\x01.", "uses EXT1"),
    "an old-style instance": (b"(imodels.common\nConv\n.", "uses INST"),
    "a memo of two billion places": (b"\x80\x02Nr\xff\xff\xff\x7f.", "asks for the memory of 2147483647 objects"),
    "a string of a terabyte": (b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"x.", "damaged"),
    "bytes of a terabyte": (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x.", "damaged"),
    "a bytearray of a terabyte": (
        text_global("builtins", "bytearray", b"\x8a\x06\0\0\0\0\0\1\x85R."), "names builtins.bytearray"),
    "half a program": (pickle.dumps({"model": list(range(1000))}, 2)[:200], "damaged"),
    "no program": (b"this is no pickle", "damaged"),
    "nothing": (b"", "damaged"),
    "a tensor larger than its storage": (tensor_program((1 << 20, 1 << 20), (0, 0)), "does not fit its storage of 4"),
    "a tensor beyond its storage": (tensor_program((2, 2), (3, 1)), "does not fit its storage of 4"),
    "a tensor of negative size": (tensor_program((-1, 2), (2, 1)), "does not fit its storage of 4"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_hostile_or_damaged_pickle_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    program, message = PROGRAMS[name]
    with pytest.raises(CheckpointError, match=message) as caught:
        load(archive(tmp_path / "x.pt", program))
    assert str(caught.value).startswith(str(tmp_path / "x.pt"))
    assert "\n" not in str(caught.value)
    assert not MARK.exists()


def test_the_hostile_pickles_would_do_harm_elsewhere(tmp_path: Path) -> None:
    """The tests above would prove nothing if these programs did nothing."""
    mark = tmp_path / "ran"
    pickle.loads(pickle.dumps(Calls(os.system, f"touch {mark}"), 2))
    assert mark.exists()


def saved(path: Path, data: object) -> Path:
    torch.save(data, path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """Files that are not whole checkpoints, and what is said of each."""
    tmp_path = tmp_path_factory.mktemp("files")
    text, cut, old, empty = (tmp_path / f"{name}.pt" for name in ("text", "cut", "old", "empty"))
    text.write_text("this is a text file\n" * 100)
    whole = saved(tmp_path / "whole.pt", {"model": torch.zeros(1000)}).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    torch.save({"model": torch.zeros(10)}, old, _use_new_zipfile_serialization=False)
    empty.write_bytes(b"")
    bomb = archive(tmp_path / "bomb.pt", b"\x80\x02N.", zipfile.ZIP_DEFLATED, data_0=b"\0" * 50_000_000)
    other = tmp_path / "other.pt"
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("readme.txt", "hello")
    return {
        "text": (text, "is not a torch checkpoint: give a checkpoint that torch 1.6 or later has saved"),
        "cut": (cut, "is a truncated archive"),
        "old": (old, "is in torch's format from before 1.6"),
        "empty": (empty, "is not a torch checkpoint"),
        "bomb": (bomb, "is compressed, which torch never does"),
        "other": (other, "holds 0 data.pkl, not one"),
        "missing": (tmp_path / "missing.pt", "does not exist"),
        "folder": (tmp_path, "is not a file"),
    }


@pytest.mark.parametrize("name", ["text", "cut", "old", "empty", "bomb", "other", "missing", "folder"])
def test_a_file_that_is_not_a_whole_checkpoint_is_refused_in_one_line(
    name: str, files: dict[str, tuple[Path, str]]
) -> None:
    path, message = files[name]
    with pytest.raises(CheckpointError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_parts_that_overlap_are_refused(tmp_path: Path) -> None:
    """A bomb without compression: many directory entries that point at the same bytes."""
    path = archive(tmp_path / "x.pt", b"\x80\x02N.", data_0=b"\0" * 100_000)
    with zipfile.ZipFile(path, "a") as file:
        entry = file.getinfo("x/data/0")
        for number in range(20):
            twin = zipfile.ZipInfo(f"x/data/{number + 1}")
            for name in ("header_offset", "CRC", "compress_size", "file_size"):
                setattr(twin, name, getattr(entry, name))
            file.filelist.append(twin)
            file.NameToInfo[twin.filename] = twin
        file._didModify = True  # type: ignore[attr-defined]
    with pytest.raises(CheckpointError, match="its parts claim"):
        load(path)


def test_a_pickle_of_absurd_length_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_PICKLE_BYTES", 100)
    with pytest.raises(CheckpointError, match=r"x/data.pkl has .* bytes; limit 100"):
        load(archive(tmp_path / "x.pt", pickle.dumps(list(range(1000)), 2)))


def test_plain_data_and_tensors_are_read_as_they_were_saved(tmp_path: Path) -> None:
    base = torch.arange(12.0).view(3, 4)
    data: dict[str, Any] = {
        "half": torch.ones(2, 2, dtype=torch.float16),
        "view": base[1:, ::2],
        "turned": base.t(),
        "whole": torch.tensor([1, -2], dtype=torch.int64),
        "flags": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5, dtype=torch.bfloat16),
        "names": ["bus", "car"],
        "nested": {"epoch": 3, "best": None, "set": {1, 2}, "pair": (1.5, "x")},
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    path = saved(tmp_path / "x.pt", data)
    read = load(path)
    tensors = read_tensors(path, {name: value for name, value in read.items() if isinstance(value, StoredTensor)})
    assert list(tensors) == ["half", "view", "turned", "whole", "flags", "empty", "scalar", "parameter"]
    for name, tensor in tensors.items():
        assert torch.equal(tensor, data[name]), name
        assert tensor.dtype == data[name].dtype
    assert (read["names"], read["nested"]) == (data["names"], data["nested"])


def test_a_missing_or_short_storage_is_refused_when_its_tensor_is_read(tmp_path: Path) -> None:
    program = tensor_program((2, 2), (2, 1))
    for path in (archive(tmp_path / "missing.pt", program), archive(tmp_path / "short.pt", program, data_0=bytes(8))):
        with pytest.raises(CheckpointError, match=r"is damaged \(.*(data/0|storage 0 has 8 bytes)"):
            read_tensors(path, {"x": load(path)})


def test_weights_beyond_the_limit_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "x.pt", tensor_program((2, 2), (2, 1)))
    stored = load(path)
    monkeypatch.setattr(archives, "MAX_WEIGHT_BYTES", 15)
    with pytest.raises(CheckpointError, match="its weights take 16 bytes; limit 15"):
        read_tensors(path, {"x": stored})


def test_a_module_becomes_a_stand_in_with_its_state(tmp_path: Path) -> None:
    read = load(saved(tmp_path / "x.pt", {"model": torch.nn.Conv2d(1, 2, 3)}))["model"]
    assert isinstance(read, Inert)
    assert read.name == "torch.nn.modules.conv.Conv2d"
    assert list(read.state["_parameters"]) == ["weight", "bias"]
