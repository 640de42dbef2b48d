"""Pickled modules: their tensors, and whether they compute what our network of that variant computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from model_store.checkpoint.values import Inert, Refused, StoredTensor
from model_store.network.graph import Network
from model_store.network.heads import ImplicitAdd

# The largest network (see unpickle.py) has 1,063 modules, 4 deep, and names of at most 19 characters.
MAX_MODULES = 10_000
MAX_DEPTH = 50
MAX_NAME = 100

# Attributes that change what a layer of torch computes, and that shapes of tensors do not show.
_ATTRIBUTES: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Conv2d: ("stride", "padding", "dilation", "groups", "padding_mode"),
    nn.BatchNorm2d: ("eps",),
    nn.LeakyReLU: ("negative_slope",),
    nn.SiLU: (),
    nn.MaxPool2d: ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    nn.Upsample: ("size", "scale_factor", "mode", "align_corners"),
}


def modules_by_path(root: Inert) -> dict[str, Inert]:
    """All modules below one, itself included, by path; a module that occurs twice has two paths."""
    found: dict[str, Inert] = {}
    waiting = [("", root, 0)]
    visits = 0
    while waiting:
        path, module, depth = waiting.pop()
        visits += 1
        if visits > MAX_MODULES:
            raise Refused(f"it has more than {MAX_MODULES} modules, many times what the largest YOLOv7 has")
        if depth > MAX_DEPTH:
            raise Refused(f"its modules are nested more than {MAX_DEPTH} deep; those of a YOLOv7 are 4 deep")
        found[path] = module
        for name, child in _parts(module, "_modules"):
            if isinstance(child, Inert):
                waiting.append((f"{path}.{name}".lstrip("."), child, depth + 1))
    return found


def tensors_by_key(modules: Mapping[str, Inert]) -> dict[str, StoredTensor]:
    """The state dict of modules."""
    return {
        f"{path}.{name}".lstrip("."): value
        for path, module in modules.items()
        for kind in ("_parameters", "_buffers")
        for name, value in _parts(module, kind)
        if isinstance(value, StoredTensor)
    }


def _parts(module: Inert, kind: str) -> Iterator[tuple[str, Any]]:
    parts = module.state.get(kind)
    for name, part in parts.items() if isinstance(parts, dict) else ():
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            raise Refused(f"a name in its {kind} is not a string of 1 to {MAX_NAME} characters")
        yield name, part


def check_modules(modules: Mapping[str, Inert], network: Network, variant: str) -> None:
    """Refuse modules that would compute something else than the network, although their tensors fit it.

    Ours has no module around a pool, and other names for containers and for implicit knowledge.
    """
    for path, layer in network.named_modules():
        theirs = modules.get(path)
        if isinstance(layer, nn.MaxPool2d) and (theirs is None or "m" in dict(_parts(theirs, "_modules"))):
            theirs = modules.get(f"{path}.m")
        if path == "" or isinstance(layer, nn.ModuleList | nn.Sequential | ImplicitAdd):
            continue
        kind = type(layer).__name__
        found = theirs.name.rpartition(".")[2] if theirs else "nothing"
        if theirs is None or found != kind:
            raise Refused(f"it has {found[:100]} at {path}, not the {kind} of a {variant}")
        for name in _ATTRIBUTES.get(type(layer), ()):
            expected = getattr(layer, name)
            if theirs.state.get(name, expected) != expected:
                raise Refused(f"its {kind} at {path} has another {name} than a {variant}'s, which is {expected}")
    for index, sources in enumerate(network.sources):
        reads = modules[f"model.{index}"].state.get("f")
        if reads is not None and _absolute(reads, index) != sources:
            raise Refused(f"its layer {index} reads other layers than a {variant}'s, which reads {sources}")


def _absolute(reads: Any, index: int) -> tuple[Any, ...]:
    """Indices of the layers that a layer reads; negative ones count from the layer itself, and the picture is -1."""
    several = reads if isinstance(reads, list) else [reads]
    relative = [isinstance(n, int) and n < 0 and index > 0 for n in several]
    return tuple(index + n if back else n for n, back in zip(several, relative, strict=True))
