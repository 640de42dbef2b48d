"""Checkpoints in the published file format: modules pickled under the authors' class names."""

from __future__ import annotations

import copy
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from model_store.network.graph import Network

_HEADS = ("Detect", "IDetect", "IAuxDetect")
_OURS = {"ImplicitAdd": "ImplicitA", "ImplicitMultiply": "ImplicitM"}


@contextmanager
def _authors_modules() -> Iterator[dict[str, types.ModuleType]]:
    modules = {name: types.ModuleType(name) for name in ("models", "models.common", "models.yolo")}
    sys.modules.update(modules)
    try:
        yield modules
    finally:
        for name in modules:
            del sys.modules[name]


def _renamed(module: nn.Module, modules: dict[str, types.ModuleType]) -> nn.Module:
    """The same module and children, their classes called what the authors call them."""
    kind = type(module)
    if kind.__module__.startswith("model_store"):
        name = "Model" if isinstance(module, Network) else _OURS.get(kind.__name__, kind.__name__)
        home = modules["models.yolo" if name in ("Model", *_HEADS) else "models.common"]
        if not hasattr(home, name):
            setattr(home, name, type(name, (nn.Module,), {"__module__": home.__name__}))
        kind = getattr(home, name)
    twin: nn.Module = kind.__new__(kind)
    twin.__dict__ = dict(module.__dict__)
    twin.__dict__["_modules"] = {
        name: None if child is None else _renamed(child, modules) for name, child in module._modules.items()
    }
    return twin


def save_published(
    network: Network, path: Path, names: Sequence[str] | dict[int, str], ema: Network | None = None
) -> Path:
    """Save a network in fp16 as training does: a dictionary with `model`, `ema` and others."""

    def published(network: Network) -> nn.Module:
        model = _renamed(copy.deepcopy(network).half(), modules)
        model.names = names  # type: ignore[assignment]
        model.stride = torch.tensor(network.head.strides, dtype=torch.float32)
        return model

    with _authors_modules() as modules:
        average = None if ema is None else published(ema)
        torch.save({"epoch": -1, "model": published(network), "ema": average, "optimizer": None}, path)
    return path
