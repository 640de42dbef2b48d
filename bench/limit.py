"""What the machine could do at best: its matrix multiplication peak, and the operations that a network needs."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from model_store.network.graph import Network

SIDE = 4096
TRIES = 6


def gemm_peak(dtype: torch.dtype) -> float:
    """The best rate of a large square matrix multiplication, operations per second."""
    left, right = (torch.randn(SIDE, SIDE).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(TRIES):
        start = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - start)
    return 2 * SIDE**3 / best


def operations(network: Network, images: Tensor) -> int:
    """Multiplications and additions of all convolutions for one forward pass."""
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
