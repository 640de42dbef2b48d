"""The YOLOv7 networks (arXiv 2207.02696) as torch modules.

A network is a flat list of layers, each naming the layers it reads: that order is also the numbering of the state dict
keys in published checkpoints (``model.<index>.<...>``), so weights load by name. The stages that repeat (ELAN, the
spatial pyramid, the way up and the way down of the neck) are methods of ``_Graph``; a variant is a short function.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Anchors = Sequence[Sequence[Sequence[float]]]  # scale, anchor, width and height in pixels

BN_EPS = 1e-3
BN_MOMENTUM = 0.03


class Conv(nn.Module):
    """A convolution without bias, batch norm, and an activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, activation: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(outputs, eps=BN_EPS, momentum=BN_MOMENTUM)
        self.act = activation

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y

    def fold(self) -> None:
        """Merge the batch norm into the convolution; the outputs in eval mode stay the same."""
        bn = self.bn
        if not isinstance(bn, nn.BatchNorm2d) or bn.running_mean is None or bn.running_var is None:
            return
        gain = bn.weight / torch.sqrt(bn.running_var + bn.eps)
        self.conv.weight = nn.Parameter(self.conv.weight * gain[:, None, None, None])
        self.conv.bias = nn.Parameter(bn.bias - bn.running_mean * gain)
        self.bn = nn.Identity()


class Concat(nn.Module):
    """Joins feature maps along the channels."""

    def forward(self, xs: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(xs), 1)


class ReOrg(nn.Module):
    """Space to depth by 2: (B, C, H, W) to (B, 4C, H/2, W/2)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)


class SPPCSPC(nn.Module):
    """Spatial pyramid pooling inside a cross-stage partial block."""

    def __init__(self, inputs: int, outputs: int, activation: nn.Module) -> None:
        super().__init__()
        self.cv1 = Conv(inputs, outputs, 1, 1, activation)
        self.cv2 = Conv(inputs, outputs, 1, 1, activation)
        self.cv3 = Conv(outputs, outputs, 3, 1, activation)
        self.cv4 = Conv(outputs, outputs, 1, 1, activation)
        self.m = nn.ModuleList(nn.MaxPool2d(k, 1, k // 2) for k in (5, 9, 13))
        self.cv5 = Conv(4 * outputs, outputs, 1, 1, activation)
        self.cv6 = Conv(outputs, outputs, 3, 1, activation)
        self.cv7 = Conv(2 * outputs, outputs, 1, 1, activation)

    def forward(self, x: Tensor) -> Tensor:
        pyramid = self.cv4(self.cv3(self.cv1(x)))
        pyramid = self.cv6(self.cv5(torch.cat([pyramid, *(pool(pyramid) for pool in self.m)], 1)))
        y: Tensor = self.cv7(torch.cat([pyramid, self.cv2(x)], 1))
        return y


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
        """The plain head that gives the same logits, up to rounding."""
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
    """IDetect on the first half of the features; the second half feeds auxiliary heads that only training uses."""

    def __init__(self, classes: int, anchors: Anchors, strides: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__(classes, anchors, strides, channels)
        outputs = len(anchors[0]) * (5 + classes)
        self.m2 = nn.ModuleList(nn.Conv2d(c, outputs, 1) for c in channels[len(strides) :])

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        return super().forward(features[: len(self.m)])


class _Graph:
    """Layers in checkpoint order, built stage by stage; a layer is named by its index, the picture is -1."""

    def __init__(self, activation: Callable[[], nn.Module]) -> None:
        self.activation = activation
        self.layers: list[nn.Module] = []
        self.sources: list[tuple[int, ...]] = []
        self.channels: dict[int, int] = {-1: 3}

    def add(self, layer: nn.Module, sources: Sequence[int], channels: int) -> int:
        self.layers.append(layer)
        self.sources.append(tuple(sources))
        index = len(self.layers) - 1
        self.channels[index] = channels
        return index

    def conv(self, source: int, channels: int, kernel: int = 1, stride: int = 1) -> int:
        layer = Conv(self.channels[source], channels, kernel, stride, self.activation())
        return self.add(layer, [source], channels)

    def concat(self, sources: Sequence[int]) -> int:
        return self.add(Concat(), sources, sum(self.channels[s] for s in sources))

    def pool(self, source: int, kernel: int, stride: int = 1) -> int:
        padding = kernel // 2 if stride == 1 else 0
        return self.add(nn.MaxPool2d(kernel, stride, padding), [source], self.channels[source])

    def elan(self, source: int, hidden: int, outputs: int, depth: int, *, chain: int = 0, every: int = 1) -> int:
        """ELAN: two 1x1 branches, a chain of `depth` 3x3 convolutions on the second; every `every`-th is kept."""
        kept = [self.conv(source, hidden), self.conv(source, hidden)]
        last = kept[-1]
        for step in range(1, depth + 1):
            last = self.conv(last, chain or hidden, 3)
            if step % every == 0:
                kept.append(last)
        return self.conv(self.concat(kept[::-1]), outputs)

    def spp(self, source: int, channels: int) -> int:
        """The spatial pyramid of yolov7-tiny, a light SPPCSPC."""
        bypass, trunk = self.conv(source, channels), self.conv(source, channels)
        pools = [self.pool(trunk, k) for k in (5, 9, 13)]
        pyramid = self.conv(self.concat([*pools[::-1], trunk]), channels)
        return self.conv(self.concat([pyramid, bypass]), channels)

    def sppcspc(self, source: int, channels: int) -> int:
        return self.add(SPPCSPC(self.channels[source], channels, self.activation()), [source], channels)

    def up(self, source: int, lateral: int, channels: int) -> int:
        """One scale up the neck: narrow, double the size, join with the backbone's map of that scale."""
        narrow = self.conv(source, channels)
        wide = self.add(nn.Upsample(scale_factor=2, mode="nearest"), [narrow], channels)
        return self.concat([self.conv(lateral, channels), wide])

    def down(self, source: int, lateral: int, channels: int) -> int:
        """One scale down the neck: halve the size, join with the map from the way up."""
        return self.concat([self.conv(source, channels, 3, 2), lateral])


class Network(nn.Module):
    """A YOLOv7 network: (B, 3, H, W) RGB in 0..1, H and W multiples of the stride, to one map of logits per scale."""

    def __init__(self, graph: _Graph) -> None:
        super().__init__()
        self.model = nn.ModuleList(graph.layers)
        self.sources = graph.sources
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
            several = isinstance(layer, Concat | Detect)
            outputs[index] = layer(inputs if several else inputs[0])
            for source in set(sources):
                if self._last_use[source] == index:
                    del outputs[source]
        maps: list[Tensor] = outputs[len(self.model) - 1]
        return maps

    def fused(self) -> Network:
        """A copy for inference: batch norm and implicit knowledge folded, what only training reads dropped."""
        network = copy.deepcopy(self).eval()
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, Conv):
                    module.fold()
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


TINY_ANCHORS: Anchors = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)

P6_ANCHORS: Anchors = (
    ((19, 27), (44, 40), (38, 94)),
    ((96, 68), (86, 152), (180, 137)),
    ((140, 301), (303, 264), (238, 542)),
    ((436, 615), (739, 380), (925, 792)),
)


def _tiny(classes: int, training: bool, anchors: Anchors | None) -> Network:
    graph = _Graph(lambda: nn.LeakyReLU(0.1))
    x = graph.conv(graph.conv(-1, 32, 3, 2), 64, 3, 2)
    x = graph.elan(x, 32, 64, 2)
    c3 = graph.elan(graph.pool(x, 2, 2), 64, 128, 2)
    c4 = graph.elan(graph.pool(c3, 2, 2), 128, 256, 2)
    c5 = graph.elan(graph.pool(c4, 2, 2), 256, 512, 2)

    top = graph.spp(c5, 256)
    middle = graph.elan(graph.up(top, c4, 128), 64, 128, 2)
    p3 = graph.elan(graph.up(middle, c3, 64), 32, 64, 2)
    p4 = graph.elan(graph.down(p3, middle, 128), 64, 128, 2)
    p5 = graph.elan(graph.down(p4, top, 256), 128, 256, 2)

    features = [graph.conv(p3, 128, 3), graph.conv(p4, 256, 3), graph.conv(p5, 512, 3)]
    head = IDetect if training else Detect
    channels = [graph.channels[f] for f in features]
    graph.add(head(classes, anchors or TINY_ANCHORS, (8, 16, 32), channels), features, 0)
    return Network(graph)


def _w6(classes: int, training: bool, anchors: Anchors | None) -> Network:
    graph = _Graph(nn.SiLU)
    x = graph.conv(graph.add(ReOrg(), [-1], 12), 64, 3)
    backbone = []
    for width in (128, 256, 512, 768, 1024):
        x = graph.elan(graph.conv(x, width, 3, 2), width // 2, width, 4, every=2)
        backbone.append(x)
    _, c3, c4, c5, c6 = backbone

    climb = [graph.sppcspc(c6, 512)]
    for lateral, width in ((c5, 384), (c4, 256), (c3, 128)):
        climb.append(graph.elan(graph.up(climb[-1], lateral, width), width, width, 4, chain=width // 2))
    descent = [climb[-1]]
    for lateral, width in zip(climb[-2::-1], (256, 384, 512), strict=True):
        descent.append(graph.elan(graph.down(descent[-1], lateral, width), width, width, 4, chain=width // 2))

    features = [graph.conv(x, 2 * graph.channels[x], 3) for x in descent]
    if training:
        features += [graph.conv(x, width, 3) for x, width in zip(climb[::-1], (320, 640, 960, 1280), strict=True)]
    head = IAuxDetect if training else Detect
    channels = [graph.channels[f] for f in features]
    graph.add(head(classes, anchors or P6_ANCHORS, (8, 16, 32, 64), channels), features, 0)
    return Network(graph)


_VARIANTS: dict[str, Callable[[int, bool, Anchors | None], Network]] = {"yolov7-tiny": _tiny, "yolov7-w6": _w6}

VARIANTS = tuple(_VARIANTS)


def build(variant: str, classes: int = 80, *, training: bool = False, anchors: Anchors | None = None) -> Network:
    """Build a variant with fresh weights, in the deploy form, or in the training form (implicit and auxiliary heads).

    Raises ValueError for a name that is not in VARIANTS. The anchors, in pixels, are the published ones unless given.
    """
    if variant not in _VARIANTS:
        raise ValueError(f"no YOLOv7 variant {variant!r}; known: {', '.join(VARIANTS)}")
    return _VARIANTS[variant](classes, training, anchors)
