"""Checkpoints that ask for more than any YOLOv7 needs: each is one clear line, in bounded memory and time."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from model_store.checkpoint.archive import MAX_DIRECTORY_BYTES
from model_store.checkpoint.modules import MAX_DEPTH, MAX_MODULES
from model_store.checkpoint.reader import read_checkpoint
from model_store.errors import CheckpointError
from tests.model_store.checkpoint.test_unpickle import archive, text_global


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def named(module: str, name: str) -> bytes:
    return text_global(module, name, b"")[2:]


def conv(children: bytes) -> bytes:
    """The program of a module; `children` is that of its dictionary of modules."""
    return named("models.common", "Conv") + b")\x81}" + text("_modules") + children + b"sb"


def model(program: bytes) -> bytes:
    """A whole program, of a checkpoint with the model that the program leaves in the memo's place 0."""
    return b"\x80\x02" + program + b"q\x00" + b"0}" + text("model") + b"h\x00s."


def tower(floors: int, *names: str) -> bytes:
    """The program of modules upon modules: each floor has the one below under all of the names."""
    program = conv(b"}")
    for _ in range(floors):
        program += b"q\x000" + conv(b"}(" + b"".join(text(name) + b"h\x00" for name in names) + b"u")
    return program


OBJECT = named("models.common", "Conv") + b")\x81"
STORAGE = b"(" + text("storage") + named("torch", "FloatStorage") + text("0") + text("cpu") + b"K\x04tQ"
VIEW = named("torch._utils", "_rebuild_tensor_v2") + b"(" + STORAGE + b"K\x00K\x04\x85K\x01\x85\x89NtR"


def many_classes() -> bytes:
    """A program that names 1.5 million classes; it takes seconds to write."""
    return b"\x80\x02(" + b"".join(named("models", f"C{i}") for i in range(1_500_000)) + b"t."


PROGRAMS: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "a key of 200,000 tuples": (b"\x80\x02})" + b"\x85" * 200_000 + b"Ns.", "uses a tuple as a key"),
    "a key that collides": (b"\x80\x02}\x8a\x09" + bytes(8) + b"\x10Ns.", "uses a int as a key"),
    "an element that is a list": (b"\x80\x04\x8f(]\x90.", "uses a list as a key"),
    "a class of a long name": (b"\x80\x02" + named("models", "C" * 100_000) + b")R.", "holds a models.CCC"),
    "1500 copies of a list": (
        b"\x80\x02](" + b"N" * 1000 + b"eq\x00" + (named("builtins", "list") + b"h\x00\x85R") * 1500,
        "needs more than 1000000 operations"),
    "1.5 million operations": (b"\x80\x02" + b"N" * 1_500_000 + b".", "needs more than 1000000 operations"),
    "1.5 million classes": (many_classes, "bytes; limit 4000000"),
    "modules shared 40 times": (model(tower(40, "a", "b")), f"has more than {MAX_MODULES} modules"),
    "modules 5000 deep": (model(tower(5000, "a")), f"nested more than {MAX_DEPTH} deep"),
    "a module inside itself": (
        b"\x80\x02" + OBJECT + b"q\x00}" + text("_modules") + b"}" + text("a") + b"h\x00ssb0}" + text("model")
        + b"h\x00s.", f"nested more than {MAX_DEPTH} deep"),
    "a long name of a module": (model(conv(b"}" + text("a" * 101) + OBJECT + b"s")), "string of 1 to 100 characters"),
    "a number as a name": (model(conv(b"}K\x01" + OBJECT + b"s")), "a name in its _modules is not a string"),
    "an object without state": (model(OBJECT), "no detection head"),
    "a tuple as state": (model(OBJECT + b"K\x01K\x02\x86b"), "no detection head"),
    "600 views of one storage": (model(b"](" + VIEW * 600 + b"e"), "holds no network"),
    "attributes for a function": (
        b"\x80\x02" + named("torch._utils", "_rebuild_tensor_v2") + b"}" + text("x") + b"K\x01sb.",
        "gives attributes to a Name"),
    "attributes for a class": (
        b"\x80\x02" + named("models.common", "Conv") + b"}" + text("name") + b"K\x01sb.", "gives attributes to a Name"),
    "a class that colours the terminal": (
        b"\x80\x04" + text("evil\n\x1b[31m") + text("x") + b"\x93.", r"names evil\\n\\x1b\[31m\.x, which"),
    "a dictionary of weights with others": (
        model(b"}" + text("a") + b"K\x01s"), "something else than names and tensors"),
    "an input size that is none": (
        b"\x80\x02}(" + text("state_dict") + b"}" + text("labels") + b"]" + text("input_size") + b"]u.",
        "`input_size` is not a number of pixels"),
    "a label that cannot be printed": (
        model(OBJECT + b"}" + text("names") + b"]" + text("\ud800") + b"asb"), r"label 0 is '.*ud800'"),
    "an empty label": (
        model(OBJECT + b"}" + text("names") + b"}K\x00" + text(" ") + b"ssb"), "label 0 is ' '; a label is 1 to 100"),
    "a call of a number": (b"\x80\x02K\x01)R.", "is damaged"),
    "a call of a dictionary": (b"\x80\x02" + named("builtins", "dict") + b"](K\x01e\x85R.", "is damaged"),
    "nothing on the stack": (b"\x80\x020000.", "is damaged"),
    "a number with items": (b"\x80\x02K\x01Na.", "is damaged"),
    "a text opcode": (b"I1\n.", "uses INT, which torch never does"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.slow
def test_a_program_beyond_the_budget_is_one_line(name: str, tmp_path: Path) -> None:
    program, message = PROGRAMS[name]
    with pytest.raises(CheckpointError, match=message) as caught:
        read_checkpoint(archive(tmp_path / "x.pt", program() if callable(program) else program))
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < len(str(tmp_path)) + 300


def test_a_large_file_that_is_no_archive_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_bytes", None)
    with (tmp_path / "x.pt").open("wb") as file:
        file.truncate(3_000_000_000)
    with pytest.raises(CheckpointError, match="is not a torch checkpoint"):
        read_checkpoint(tmp_path / "x.pt")


def test_a_large_directory_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as file:
        for number in range(MAX_DIRECTORY_BYTES // 50):
            file.writestr(f"x/{number:06}", b"")
    with pytest.raises(CheckpointError, match=f"its directory has over {MAX_DIRECTORY_BYTES} bytes"):
        read_checkpoint(tmp_path / "x.pt")


def test_names_that_are_not_utf8_are_one_line(tmp_path: Path) -> None:
    data = archive(tmp_path / "x.pt", b"N.").read_bytes().replace(b"x/data.pkl", b"\xff/data.pkl")
    start = data.index(b"PK\x01\x02")
    (tmp_path / "x.pt").write_bytes(data[: start + 9] + b"\x08" + data[start + 10 :])  # The flag for UTF-8.
    with pytest.raises(CheckpointError, match="is damaged"):
        read_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("names", "message"),
    [("[" * 100_000, "is not a safetensors file"), ('["\\ud800"]', "label 0 is"), ('["\\u001b[31m"]', "label 0 is")],
)
def test_odd_labels_of_safetensors_are_one_line(names: str, message: str, tmp_path: Path) -> None:
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header = json.dumps({"__metadata__": {"names": names}, "a": tensor}).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "x.safetensors")


def test_a_large_header_of_safetensors_is_refused(tmp_path: Path) -> None:
    size = MAX_DIRECTORY_BYTES + 1
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", size) + b" " * size)
    with pytest.raises(CheckpointError, match=f"its header has {size} bytes; limit {MAX_DIRECTORY_BYTES}"):
        read_checkpoint(tmp_path / "x.safetensors")
