"""What runs the network: a small seam, and OpenVINO behind it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np

# OpenVINO imports its model converter where it can, half of its import time, and with it what reports each import to
# its makers. Serving has no use for either; who converts imports it by its own name.
_BLOCKED = sys.modules.setdefault("openvino.tools.ovc", None) is None  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

if _BLOCKED:
    del sys.modules["openvino.tools.ovc"]

from detection.errors import ModelError  # noqa: E402
from detection.types import Floats, Picture  # noqa: E402

NETWORK = "model.xml"
WEIGHTS = "model.bin"


class Engine(Protocol):
    """Turns one letterboxed picture into logits."""

    def infer(self, picture: Picture) -> Sequence[Floats]:
        """Run (H, W, 3) uint8 BGR, sides multiples of the stride; one (channels, h, w) float32 map per scale.

        The maps hold until the next call, and only one call may run at a time.
        """
        ...


class OpenVINOEngine:
    """A compiled OpenVINO model, for pictures of any size; each inference uses all cores."""

    def __init__(self, folder: Path) -> None:
        for name in (NETWORK, WEIGHTS):
            if not (folder / name).is_file():
                raise ModelError(
                    f"{folder} is not a model folder: it has no {name}; add one with python -m model_store add"
                )
        core = ov.Core()
        try:
            compiled = core.compile_model(folder / NETWORK, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
        except RuntimeError as exc:
            reason = str(exc).strip().splitlines()[-1][:200]
            raise ModelError(f"{folder / NETWORK} is damaged ({reason}): add the model again") from exc
        self._request = compiled.create_infer_request()

    def infer(self, picture: Picture) -> list[Floats]:
        self._request.infer(picture[np.newaxis], share_inputs=True)
        return [tensor.data[0] for tensor in self._request.output_tensors]


def compile_in_background(folder: Path) -> Future[OpenVINOEngine]:
    """Compile a model while the caller goes on importing; the future raises ModelError as OpenVINOEngine does."""
    return ThreadPoolExecutor(1, "compile").submit(OpenVINOEngine, folder)
