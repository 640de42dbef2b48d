"""The layers that YOLOv7 networks (arXiv 2207.02696) are built from, named as in the paper and its checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

BN_EPS = 1e-3
BN_MOMENTUM = 0.03


class Foldable(nn.Module):
    """A layer that equals one convolution and an activation once training is over."""

    act: nn.Module

    def kernel(self) -> tuple[Tensor, Tensor]:
        """Weight (outputs, inputs, k, k) and bias (outputs,) of that convolution."""
        raise TypeError(f"{type(self).__name__} cannot be folded")

    def folded(self) -> nn.Sequential:
        """The convolution and the activation; they equal this layer in eval mode, up to rounding."""
        weight, bias = self.kernel()
        conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], self.stride, weight.shape[2] // 2)
        conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
        return nn.Sequential(conv, self.act)

    @property
    def stride(self) -> int:
        """Stride of the convolution."""
        return 1


def fold_children(module: nn.Module) -> None:
    """Replace, in place, every Foldable below a module by its folded form."""
    for name, child in module.named_children():
        if isinstance(child, Foldable):
            setattr(module, name, child.folded())
        else:
            fold_children(child)


def merge(conv: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution that equals a convolution without bias and a batch norm."""
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return conv.weight * gain[:, None, None, None], norm.bias - norm.running_mean * gain


class Conv(Foldable):
    """A convolution without bias, batch norm, and an activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, activation: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=BN_EPS, momentum=BN_MOMENTUM)
        self.act = activation

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y

    def kernel(self) -> tuple[Tensor, Tensor]:
        return merge(self.conv, self.bn)

    @property
    def stride(self) -> int:
        return self.conv.stride[0]


class RepConv(Foldable):
    """A 3x3 and a 1x1 convolution side by side, each with batch norm, summed: one 3x3 convolution when folded."""

    def __init__(self, inputs: int, outputs: int, activation: nn.Module) -> None:
        super().__init__()
        self.act = activation
        self.rbr_dense = self._branch(inputs, outputs, 3)
        self.rbr_1x1 = self._branch(inputs, outputs, 1)

    @staticmethod
    def _branch(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
        norm = nn.BatchNorm2d(outputs, eps=BN_EPS, momentum=BN_MOMENTUM)
        return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, bias=False), norm)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.rbr_dense(x) + self.rbr_1x1(x))
        return y

    def kernel(self) -> tuple[Tensor, Tensor]:
        wide, bias = merge(*self.rbr_dense)
        narrow, more = merge(*self.rbr_1x1)
        return wide + nn.functional.pad(narrow, [1, 1, 1, 1]), bias + more


class Concat(nn.Module):
    """Joins feature maps along the channels."""

    def forward(self, xs: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(xs), 1)


class Shortcut(nn.Module):
    """The sum of two feature maps."""

    def forward(self, xs: Sequence[Tensor]) -> Tensor:
        return xs[0] + xs[1]


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


class DownC(nn.Module):
    """Halves the size by a strided convolution and by pooling in parallel; each gives half of the channels."""

    def __init__(self, inputs: int, outputs: int, activation: nn.Module) -> None:
        super().__init__()
        self.cv1 = Conv(inputs, inputs, 1, 1, activation)
        self.cv2 = Conv(inputs, outputs // 2, 3, 2, activation)
        self.cv3 = Conv(inputs, outputs // 2, 1, 1, activation)
        self.mp = nn.MaxPool2d(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.cv2(self.cv1(x)), self.cv3(self.mp(x))], 1)
