"""The time that a network's operations take at the machine's matrix multiplication peak."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from model_store.network.graph import Network

SIDE = 4096
TRIES = 6


def gemm_peak(dtype: torch.dtype) -> float:
    """The best rate of a large square matrix multiplication, in operations per second."""
    left, right = (torch.randn(SIDE, SIDE).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(TRIES):
        start = time.perf_counter()
        torch.mm(left, right)
        seconds.append(time.perf_counter() - start)
    return gemm_rate(SIDE, seconds)


def gemm_rate(side: int, seconds: Sequence[float]) -> float:
    """Operations per second of the fastest of several products of two matrices of `side` x `side`."""
    return 2 * side**3 / min(seconds)


def limit_ms(work: int, peaks: Mapping[str, float], precision: str) -> float:
    """Milliseconds that so many operations take at the peak of a precision, which must be among the peaks."""
    return work / peaks[precision] * 1000


def operations(network: Network, images: Tensor) -> int:
    """The multiplications and additions of all convolutions in one forward pass, each counted as one operation."""
    total = 0

    def count(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        per_value = module.in_channels // module.groups * module.kernel_size[0] * module.kernel_size[1]
        total += 2 * output.numel() * per_value

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return total
