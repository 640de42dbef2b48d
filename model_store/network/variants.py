"""The seven YOLOv7 networks; stages that occur several times are methods of `_Graph`, named as in the paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from model_store.network.blocks import SPPCSPC, Concat, Conv, DownC, ReOrg, RepConv, Shortcut
from model_store.network.graph import Network
from model_store.network.heads import Anchors, Detect, IAuxDetect, IDetect


class _Graph:
    """Layers in the order of checkpoints; a layer is identified by its index, the picture by -1."""

    def __init__(self, activation: Callable[[], nn.Module]) -> None:
        self.activation = activation
        self.layers: list[nn.Module] = []
        self.sources: list[tuple[int, ...]] = []
        self.channels: dict[int, int] = {-1: 3}

    def add(self, layer: nn.Module, sources: Sequence[int], channels: int) -> int:
        """Append a layer and return its index."""
        self.layers.append(layer)
        self.sources.append(tuple(sources))
        index = len(self.layers) - 1
        self.channels[index] = channels
        return index

    def conv(self, source: int, channels: int, kernel: int = 1, stride: int = 1) -> int:
        return self.add(Conv(self.channels[source], channels, kernel, stride, self.activation()), [source], channels)

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

    def extended_elan(
        self, source: int, hidden: int, outputs: int, depth: int, *, chain: int = 0, every: int = 1
    ) -> int:
        """E-ELAN: two ELANs side by side, summed."""
        pair = [self.elan(source, hidden, outputs, depth, chain=chain, every=every) for _ in range(2)]
        return self.add(Shortcut(), pair[::-1], outputs)

    def spp(self, source: int, channels: int) -> int:
        """The spatial pyramid of yolov7-tiny, a light SPPCSPC."""
        bypass, trunk = self.conv(source, channels), self.conv(source, channels)
        pools = [self.pool(trunk, k) for k in (5, 9, 13)]
        pyramid = self.conv(self.concat([*pools[::-1], trunk]), channels)
        return self.conv(self.concat([pyramid, bypass]), channels)

    def sppcspc(self, source: int, channels: int) -> int:
        return self.add(SPPCSPC(self.channels[source], channels, self.activation()), [source], channels)

    def pool_and_stride(self, source: int, channels: int, *joined: int) -> int:
        """Halve the size by pooling and by a strided convolution, `channels` each; join both with other maps."""
        pooled = self.conv(self.pool(source, 2, 2), channels)
        strided = self.conv(self.conv(source, channels), channels, 3, 2)
        return self.concat([strided, pooled, *joined])

    def strided(self, source: int, channels: int) -> int:
        """Halve the size by a strided convolution."""
        return self.conv(source, channels, 3, 2)

    def down_c(self, source: int, channels: int) -> int:
        """Halve the size by a DownC."""
        return self.add(DownC(self.channels[source], channels, self.activation()), [source], channels)

    def up(self, source: int, lateral: int, channels: int) -> int:
        """One scale up the neck: narrow, double the size, join with the backbone's map of that scale."""
        narrow = self.conv(source, channels)
        wide = self.add(nn.Upsample(scale_factor=2, mode="nearest"), [narrow], channels)
        return self.concat([self.conv(lateral, channels), wide])

    def finish(self, head: type[Detect], classes: int, anchors: Anchors, features: Sequence[int]) -> Network:
        """Add the head and return the network; the coarsest scale has the highest stride."""
        strides = [8 * 2**scale for scale in range(len(anchors))]
        self.add(head(classes, anchors, strides, [self.channels[f] for f in features]), features, 0)
        return Network(self.layers, self.sources)


TINY_ANCHORS: Anchors = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)

P5_ANCHORS: Anchors = (
    ((12, 16), (19, 36), (40, 28)),
    ((36, 75), (76, 55), (72, 146)),
    ((142, 110), (192, 243), (459, 401)),
)

P6_ANCHORS: Anchors = (
    ((19, 27), (44, 40), (38, 94)),
    ((96, 68), (86, 152), (180, 137)),
    ((140, 301), (303, 264), (238, 542)),
    ((436, 615), (739, 380), (925, 792)),
)


def _tiny(classes: int, training: bool, anchors: Anchors | None) -> Network:
    graph = _Graph(lambda: nn.LeakyReLU(0.1))
    x = graph.strided(graph.strided(-1, 32), 64)
    x = graph.elan(x, 32, 64, 2)
    c3 = graph.elan(graph.pool(x, 2, 2), 64, 128, 2)
    c4 = graph.elan(graph.pool(c3, 2, 2), 128, 256, 2)
    c5 = graph.elan(graph.pool(c4, 2, 2), 256, 512, 2)

    top = graph.spp(c5, 256)
    middle = graph.elan(graph.up(top, c4, 128), 64, 128, 2)
    p3 = graph.elan(graph.up(middle, c3, 64), 32, 64, 2)
    p4 = graph.elan(graph.concat([graph.strided(p3, 128), middle]), 64, 128, 2)
    p5 = graph.elan(graph.concat([graph.strided(p4, 256), top]), 128, 256, 2)

    features = [graph.conv(x, 2 * graph.channels[x], 3) for x in (p3, p4, p5)]
    return graph.finish(IDetect if training else Detect, classes, anchors or TINY_ANCHORS, features)


def _p5(classes: int, training: bool, anchors: Anchors | None, *, wide: bool) -> Network:
    """yolov7, and yolov7x: `wide` multiplies the widths by 1.25 and deepens the ELANs from 4 to 6."""
    graph = _Graph(nn.SiLU)
    unit, depth = (40, 6) if wide else (32, 4)
    backbone = partial(graph.elan, depth=depth, every=2)

    def neck(source: int, hidden: int, outputs: int) -> int:
        """The backbone's ELAN in yolov7x; in yolov7 one that keeps every convolution of a chain half as wide."""
        if wide:
            return backbone(source, hidden, outputs)
        return graph.elan(source, hidden, outputs, depth, chain=hidden // 2)

    x = graph.strided(graph.conv(graph.strided(graph.conv(-1, unit, 3), 2 * unit), 2 * unit, 3), 4 * unit)
    c2 = backbone(x, 64, 8 * unit)
    c3 = backbone(graph.pool_and_stride(c2, 4 * unit), 128, 16 * unit)
    c4 = backbone(graph.pool_and_stride(c3, 8 * unit), 256, 32 * unit)
    c5 = backbone(graph.pool_and_stride(c4, 16 * unit), 256, 32 * unit)

    top = graph.sppcspc(c5, 16 * unit)
    middle = neck(graph.up(top, c4, 8 * unit), 256, 8 * unit)
    p3 = neck(graph.up(middle, c3, 4 * unit), 128, 4 * unit)
    p4 = neck(graph.pool_and_stride(p3, 4 * unit, middle), 256, 8 * unit)
    p5 = neck(graph.pool_and_stride(p4, 8 * unit, top), 512, 16 * unit)

    features = [graph.conv(x, 2 * graph.channels[x], 3) if wide else _rep_conv(graph, x) for x in (p3, p4, p5)]
    return graph.finish(IDetect if training else Detect, classes, anchors or P5_ANCHORS, features)


def _rep_conv(graph: _Graph, source: int) -> int:
    channels = graph.channels[source]
    return graph.add(RepConv(channels, 2 * channels, graph.activation()), [source], 2 * channels)


def _p6(
    classes: int,
    training: bool,
    anchors: Anchors | None,
    *,
    unit: int,
    depth: int,
    auxiliary: Sequence[int],
    down_c: bool = True,
    extended: bool = False,
) -> Network:
    """The networks for 1280 pixels: `unit` is the width of the stem, `depth` that of an ELAN's chain.

    `auxiliary` are the widths of the heads that only training has; `down_c` and `extended` choose how sizes are halved
    and which ELAN is used.
    """
    graph = _Graph(nn.SiLU)
    elan = partial(graph.extended_elan if extended else graph.elan, depth=depth)
    down = graph.down_c if down_c else graph.strided
    widths = [2 * unit, 4 * unit, 8 * unit, 12 * unit, 16 * unit]
    hidden = (64, 128, 256, 384, 512)

    x = graph.conv(graph.add(ReOrg(), [-1], 12), unit, 3)
    backbone = []
    for width, inner in zip(widths, hidden, strict=True):
        x = elan(down(x, width), inner, width, every=2)
        backbone.append(x)

    climb = [graph.sppcspc(x, widths[4] // 2)]
    for scale in (3, 2, 1):
        joined = graph.up(climb[-1], backbone[scale], widths[scale] // 2)
        climb.append(elan(joined, hidden[scale], widths[scale] // 2, chain=hidden[scale] // 2))
    descent = [climb[-1]]
    for scale, lateral in zip((2, 3, 4), climb[-2::-1], strict=True):
        joined = graph.concat([down(descent[-1], widths[scale] // 2), lateral])
        descent.append(elan(joined, hidden[scale], widths[scale] // 2, chain=hidden[scale] // 2))

    features = [graph.conv(x, 2 * graph.channels[x], 3) for x in descent]
    if training:
        # The published E-ELAN network takes its auxiliary heads from before the sum.
        taps = [x - 1 if isinstance(graph.layers[x], Shortcut) else x for x in climb[::-1]]
        features += [graph.conv(x, width, 3) for x, width in zip(taps, auxiliary, strict=True)]
    return graph.finish(IAuxDetect if training else Detect, classes, anchors or P6_ANCHORS, features)


_E6_AUXILIARY = (320, 640, 960, 1280)

_VARIANTS: dict[str, Callable[[int, bool, Anchors | None], Network]] = {
    "yolov7-tiny": _tiny,
    "yolov7": partial(_p5, wide=False),
    "yolov7x": partial(_p5, wide=True),
    "yolov7-w6": partial(_p6, unit=64, depth=4, auxiliary=_E6_AUXILIARY, down_c=False),
    "yolov7-e6": partial(_p6, unit=80, depth=6, auxiliary=_E6_AUXILIARY),
    "yolov7-d6": partial(_p6, unit=96, depth=8, auxiliary=(384, 768, 1152, 1536)),
    "yolov7-e6e": partial(_p6, unit=80, depth=6, auxiliary=_E6_AUXILIARY, extended=True),
}

VARIANTS = tuple(_VARIANTS)


def build(variant: str, classes: int = 80, *, training: bool = False, anchors: Anchors | None = None) -> Network:
    """Build a variant with fresh weights, in the deploy form, or in the training form (implicit and auxiliary heads).

    Raises ValueError for a name that is not in VARIANTS. The anchors, in pixels, are the published ones unless given.
    """
    if variant not in _VARIANTS:
        raise ValueError(f"no YOLOv7 variant {variant!r}; known: {', '.join(VARIANTS)}")
    return _VARIANTS[variant](classes, training, anchors)
