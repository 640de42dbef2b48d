"""Mutated checkpoints, and what reads them."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import tempfile
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import save

from model_store.checkpoint.contents import read_contents
from model_store.checkpoint.reader import read_checkpoint
from model_store.errors import CheckpointError
from model_store.network.variants import build
from tests.fuzz.mutate import mutated
from tests.model_store.published import save_published


def mutated_checkpoint(random: Random) -> bytes:
    """Mutate a file, or only the pickle in an archive, whose checksums are then right."""
    data = random.choice(checkpoints())
    if not data.startswith(b"PK") or random.random() < 0.3:
        return mutated(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    return _archive({k: mutated(v, random) if k.endswith("data.pkl") else v for k, v in entries.items()})


def _archive(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


@functools.cache
def checkpoints() -> tuple[bytes, ...]:
    """Small files of each kind: weights by name, of our training, modules, a YOLOv7 without weights, a head."""
    tensor = torch.arange(6.0).view(2, 3)
    files = [save({"a.weight": tensor, "a.bias": tensor[0].half()}, {"names": json.dumps(["bus", "car"])})]
    for data in (
        {"model": {"a.weight": tensor, "a.bias": tensor[0]}, "names": ["bus"], "epoch": 3, "flags": {1, 2}},
        {"state_dict": {"a": tensor.half()}, "labels": ["bus"], "input_size": 320, "anchors": [[[1.5, 2.0]]]},
        {"model": None, "ema": torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))},
    ):
        file = io.BytesIO()
        torch.save(data, file)
        files.append(file.getvalue())
    with tempfile.TemporaryDirectory() as folder:
        path = save_published(build("yolov7-tiny", 4), Path(folder) / "x.pt", ["a", "b", "c", "d"])
        with zipfile.ZipFile(path) as archive:
            files.append(_archive({name: archive.read(name) for name in archive.namelist() if "/data/" not in name}))
    files.append(save({"model.1.m.0.bias": torch.zeros(27)}))
    with contextlib.suppress(CheckpointError):
        read(files[-1])  # The reader outlines all variants once; no case must pay for that.
    return tuple(files)


def read(data: bytes) -> Any:
    """Read a checkpoint's contents and all its tensors; then its network, which is none or has no weights."""
    suffix = ".pt" if b"data.pkl" in data or data.startswith(b"PK") else ".safetensors"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{suffix}"
        path.write_bytes(data)
        with contextlib.suppress(CheckpointError):
            read_checkpoint(path)
        contents = read_contents(path)
        return contents.labels, contents.shapes, contents.read()
