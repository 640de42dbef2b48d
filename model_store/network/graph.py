"""A YOLOv7 network: a flat list of layers, each with the indices of the layers that it reads.

Published checkpoints number the keys of their state dict in the same order (``model.<index>.<...>``), so weights load
by name.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from model_store.network.blocks import Concat, Shortcut, fold_children
from model_store.network.heads import Detect, IDetect


class Network(nn.Module):
    """A YOLOv7 network: (B, 3, H, W) RGB in 0..1, H and W multiples of the stride, to one map of logits per scale."""

    def __init__(self, layers: Sequence[nn.Module], sources: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.model = nn.ModuleList(layers)
        self.sources = list(sources)
        self._last_use = {source: index for index, sources in enumerate(self.sources) for source in sources}

    @property
    def head(self) -> Detect:
        head = self.model[-1]
        assert isinstance(head, Detect)
        return head

    @property
    def stride(self) -> int:
        return max(self.head.strides)

    def forward(self, images: Tensor) -> list[Tensor]:
        outputs: dict[int, Any] = {-1: images}
        for index, (layer, sources) in enumerate(zip(self.model, self.sources, strict=True)):
            inputs = [outputs[s] for s in sources]
            several = isinstance(layer, Concat | Shortcut | Detect)
            outputs[index] = layer(inputs if several else inputs[0])
            for source in set(sources):
                if self._last_use[source] == index:
                    del outputs[source]
        maps: list[Tensor] = outputs[len(self.model) - 1]
        return maps

    def fused(self) -> Network:
        """A copy for inference, with batch norm and implicit knowledge folded, and without layers only for training."""
        network = copy.deepcopy(self).eval()
        with torch.no_grad():
            fold_children(network)
            if isinstance(network.head, IDetect):
                network.model[-1] = network.head.folded()
        network.sources[-1] = network.sources[-1][: len(network.head.m)]
        network._drop_unread()
        return network

    def _drop_unread(self) -> None:
        read = {len(self.model) - 1}
        for index in range(len(self.model) - 1, -1, -1):
            if index in read:
                read.update(self.sources[index])
        kept = sorted(i for i in read if i >= 0)
        place = {-1: -1} | {old: new for new, old in enumerate(kept)}
        self.model = nn.ModuleList(self.model[i] for i in kept)
        self.sources = [tuple(place[s] for s in self.sources[i]) for i in kept]
        self._last_use = {source: index for index, sources in enumerate(self.sources) for source in sources}
