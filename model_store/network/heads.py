"""The heads of YOLOv7 networks, and the decoding of their logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Anchors = Sequence[Sequence[Sequence[float]]]  # scale, anchor, width and height in pixels


class ImplicitAdd(nn.Module):
    """Adds one learned value per channel (the paper's implicit knowledge)."""

    mean = 0.0

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.implicit = nn.Parameter(torch.normal(self.mean, 0.02, (1, channels, 1, 1)))

    def forward(self, x: Tensor) -> Tensor:
        return self.implicit + x


class ImplicitMultiply(ImplicitAdd):
    """Multiplies by one learned value per channel."""

    mean = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return self.implicit * x


class Detect(nn.Module):
    """The head: one 1x1 convolution per scale, giving (B, anchors * (5 + classes), H, W) logits each."""

    anchors: Tensor
    anchor_grid: Tensor

    def __init__(self, classes: int, anchors: Anchors, strides: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        self.classes = classes
        self.strides = tuple(strides)
        self.channels = tuple(channels[: len(strides)])
        pixels = torch.tensor(anchors, dtype=torch.float32)
        self.register_buffer("anchors", pixels / torch.tensor(strides).view(-1, 1, 1))
        self.register_buffer("anchor_grid", pixels.view(len(strides), 1, -1, 1, 1, 2))
        outputs = pixels.shape[1] * (5 + classes)
        self.m = nn.ModuleList(nn.Conv2d(c, outputs, 1) for c in self.channels)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        return [conv(x) for conv, x in zip(self.m, features, strict=True)]


class IDetect(Detect):
    """The head with implicit knowledge: ``im * conv(x + ia)``."""

    def __init__(self, classes: int, anchors: Anchors, strides: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__(classes, anchors, strides, channels)
        outputs = len(anchors[0]) * (5 + classes)
        self.ia = nn.ModuleList(ImplicitAdd(c) for c in self.channels)
        self.im = nn.ModuleList(ImplicitMultiply(outputs) for _ in strides)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        return [im(conv(ia(x))) for conv, ia, im, x in zip(self.m, self.ia, self.im, features, strict=True)]

    def folded(self) -> Detect:
        """The plain head with the same logits, up to rounding."""
        head = Detect(self.classes, self.anchor_grid.flatten(1, 4).tolist(), self.strides, self.channels)
        for conv, (source, ia, im) in zip(head.m, zip(self.m, self.ia, self.im, strict=True), strict=True):
            assert isinstance(source, nn.Conv2d) and source.bias is not None
            assert isinstance(ia, ImplicitAdd) and isinstance(im, ImplicitMultiply)
            gain = im.implicit.flatten()
            shift = (source.weight * ia.implicit).sum((1, 2, 3))
            conv.bias = nn.Parameter((source.bias + shift) * gain)
            conv.weight = nn.Parameter(source.weight * gain[:, None, None, None])
        return head


class IAuxDetect(IDetect):
    """IDetect on the first half of the features; the second half goes to auxiliary heads that only training uses."""

    def __init__(self, classes: int, anchors: Anchors, strides: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__(classes, anchors, strides, channels)
        outputs = len(anchors[0]) * (5 + classes)
        self.m2 = nn.ModuleList(nn.Conv2d(c, outputs, 1) for c in channels[len(strides) :])

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        return super().forward(features[: len(self.m)])


def decode(head: Detect, maps: Sequence[Tensor]) -> Tensor:
    """Turn logits into boxes and scores: (B, N, 5 + classes), rows x, y, width, height (pixels), objectness, classes.

    Rows are ordered by scale, then anchor, then row, then column.
    """
    decoded = []
    for logits, stride, anchors in zip(maps, head.strides, head.anchor_grid, strict=True):
        batch, _, height, width = logits.shape
        count = anchors.shape[1]
        y = logits.view(batch, count, -1, height, width).permute(0, 1, 3, 4, 2).sigmoid()
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        cell = torch.stack([columns, rows], -1).to(y)
        xy = (y[..., 0:2] * 2 - 0.5 + cell) * stride
        wh = (y[..., 2:4] * 2) ** 2 * anchors
        decoded.append(torch.cat([xy, wh, y[..., 4:]], -1).view(batch, -1, y.shape[-1]))
    return torch.cat(decoded, 1)
