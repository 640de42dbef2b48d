"""The operations of a network and the time that they take at the machine's peak."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.limit import gemm_rate, limit_ms, operations
from model_store.convert import random_network
from model_store.network.graph import Network


def test_operations_are_two_per_weight_and_output_pixel() -> None:
    # (1, 3, 8, 12) becomes (1, 4, 4, 6) by 3 x 3 weights, and that becomes (1, 6, 4, 6) by 1 x 1 weights in two groups.
    network = Network([nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 6, 1, groups=2)], [(-1,), (0,)])
    assert operations(network, torch.zeros(1, 3, 8, 12)) == 2 * (4 * 4 * 6) * (3 * 3 * 3) + 2 * (6 * 4 * 6) * (4 // 2)


@pytest.mark.slow
def test_the_operations_of_yolov7_tiny_are_the_published_ones() -> None:
    network = random_network("yolov7-tiny").fused().to("meta")  # Shapes without values: nothing is computed.
    counted = operations(network, torch.zeros(1, 3, 640, 640, device="meta"))
    assert counted == pytest.approx(13.8e9, rel=0.01)  # arXiv 2207.02696, table 2


def test_the_gemm_rate_is_that_of_the_fastest_product() -> None:
    assert gemm_rate(1000, [0.5, 0.25, 1.0]) == 8e9


def test_the_limit_is_the_time_at_the_peak_of_the_served_precision() -> None:
    peaks = {"f32": 1e12, "bf16": 2e12}
    assert limit_ms(10_000_000_000, peaks, "bf16") == 5.0
    assert limit_ms(10_000_000_000, peaks, "f32") == 10.0


def test_a_precision_whose_peak_was_not_measured_has_no_limit() -> None:
    with pytest.raises(KeyError, match="f16"):
        limit_ms(1, {"f32": 1e12}, "f16")
