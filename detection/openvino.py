"""OpenVINO as the engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import numpy as np

# OpenVINO imports its model converter when it finds it: half of its import time, and with it a module that reports each
# import to its makers. Serving needs neither; converting imports the converter by its own name.
_BLOCKED = sys.modules.setdefault("openvino.tools.ovc", None) is None  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

if _BLOCKED:
    del sys.modules["openvino.tools.ovc"]

from detection.card import NETWORK, WEIGHTS  # noqa: E402
from detection.errors import ModelError  # noqa: E402
from detection.processor import AVX512_BF16, Processor, read_processor  # noqa: E402
from detection.types import Floats, Picture  # noqa: E402


def compile_options(processor: Processor, inferences: int = 1) -> dict[str, str]:
    """The options with which a network is compiled for a processor and a number of inferences at a time.

    OpenVINO computes in bfloat16 wherever there are instructions for it. Those of AVX-512 are twice as fast as float32
    on AMD's processors (bench/precision.md), but slower on Intel's, which have AMX for it: on two cores of a Xeon
    without AMX YOLOv7-W6 took 933 ms in float32 and 1,625 ms in bfloat16, by `python -m model_store bench`.
    """
    options = {"PERFORMANCE_HINT": "LATENCY"} if inferences == 1 else {"NUM_STREAMS": str(inferences)}
    if processor.isa == AVX512_BF16 and "Intel" in processor.model:
        options["INFERENCE_PRECISION_HINT"] = "f32"
    return options


class OpenVINOEngine:
    """A compiled OpenVINO model; the inferences that run at a time share all cores.

    It takes pictures of any size, or with `shape`, height and width in pixels, only of this one.
    """

    def __init__(self, folder: Path, inferences: int = 1, shape: tuple[int, int] | None = None) -> None:
        for name in (NETWORK, WEIGHTS):
            if not (folder / name).is_file():
                raise ModelError(
                    f"{folder} is not a model folder: it has no {name}; add one with python -m model_store add"
                )
        core = ov.Core()
        try:
            network = core.read_model(folder / NETWORK)
            if shape:
                network.reshape([1, *shape, 3])
            compiled = core.compile_model(network, "CPU", compile_options(read_processor(), inferences))
        except RuntimeError as exc:
            reason = str(exc).strip().splitlines()[-1][:200]
            raise ModelError(f"{folder / NETWORK} is damaged ({reason}): add the model again") from exc
        self._free: SimpleQueue[ov.InferRequest] = SimpleQueue()
        for _ in range(inferences):
            self._free.put(compiled.create_infer_request())

    @contextmanager
    def infer(self, picture: Picture) -> Iterator[list[Floats]]:
        request = self._free.get()
        try:
            request.infer(picture[np.newaxis], share_inputs=True)
            yield [tensor.data[0] for tensor in request.output_tensors]
        finally:
            self._free.put(request)


class OneShapeEngine:
    """An engine for the expected shape of pictures; when another shape comes, for this, and then for all shapes.

    A process that has just started answers the first picture of a large network sooner so. It runs one inference at a
    time.
    """

    def __init__(self, folder: Path, expected: tuple[int, int]) -> None:
        """`expected` is height and width, pixels."""
        self._folder = folder
        self._shape: tuple[int, int] | None = expected
        self._used = False
        self._engine: OpenVINOEngine | None = OpenVINOEngine(folder, shape=expected)

    @contextmanager
    def infer(self, picture: Picture) -> Iterator[list[Floats]]:
        shape = picture.shape[0], picture.shape[1]
        if self._engine is None or self._shape not in (None, shape):
            self._shape = None if self._used else shape
            self._engine = None  # Its memory is free before the next one needs it.
            self._engine = OpenVINOEngine(self._folder, shape=self._shape)
        self._used = True
        with self._engine.infer(picture) as maps:
            yield maps
