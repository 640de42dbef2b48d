"""`python -m model_store.benchmark.worker`: a process that runs one model in one way; one request per line of input.

A request and its response are lines of JSON. This is a separate process because oneDNN fixes the instructions that it
may use when it is loaded.

    {"size": [width, height]}    one inference: its `seconds`, and the process's `memory_mb`
    {"pictures": [file, ...]}    the `detections` of each picture: rows of class id, four corners in pixels, score
    {}                           the `precision` of the computation, and the `kernels` of most convolutions

When the request fails, the response is the reason as `error`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from detection.card import NETWORK, read_card
from detection.detector import Detector
from detection.errors import UserError
from detection.openvino import compile_options
from detection.processor import read_processor
from detection.types import Floats, Picture


class Runner:
    """A model that is compiled at the first request, for all shapes or for each shape."""

    def __init__(self, folder: Path, settings: dict[str, str | int], *, static: bool = False) -> None:
        self._folder, self._settings, self._static = folder, settings, static
        self._compiled: dict[tuple[int, ...], tuple[Any, Any]] = {}

    def compiled(self, shape: tuple[int, ...] = ()) -> tuple[Any, Any]:
        """The compiled model of a shape, (1, H, W, 3), and its request."""
        key = shape if self._static else ()
        if key not in self._compiled:
            core = ov.Core()
            model = core.read_model(self._folder / NETWORK)
            if self._static:
                model.reshape(list(shape))
            compiled = core.compile_model(model, "CPU", self._settings)
            self._compiled[key] = compiled, compiled.create_infer_request()
        return self._compiled[key]

    @contextmanager
    def infer(self, picture: Picture) -> Iterator[list[Floats]]:
        """One inference, as an engine of `detection`."""
        _, request = self.compiled((1, *picture.shape))
        request.infer(picture[np.newaxis], share_inputs=True)
        yield [tensor.data[0] for tensor in request.output_tensors]

    def timed(self, width: int, height: int) -> dict[str, float]:
        """Run one inference of noise."""
        picture = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8)
        start = time.perf_counter()
        with self.infer(picture):
            return {"seconds": time.perf_counter() - start, "memory_mb": memory_mb()}

    def detections(self, files: list[str]) -> list[list[list[float]]]:
        """Detect in pictures, with the thresholds of COCO results."""
        from model_store.evaluate import CONFIDENCE, IOU, read_picture

        detector = Detector(read_card(self._folder), self)
        found = []
        for file in files:
            result = detector.detect(read_picture(Path(file)), confidence=CONFIDENCE, iou=IOU)
            rows = zip(result.class_ids.tolist(), result.boxes.tolist(), result.scores.tolist(), strict=True)
            found.append([[c, *box, score] for c, box, score in rows])
        return found

    def facts(self) -> dict[str, str]:
        """The precision that OpenVINO computes in, and the kernel, with its instructions, of most convolutions."""
        compiled, _ = self.compiled()
        details = [operation.get_rt_info() for operation in compiled.get_runtime_model().get_ops()]
        kernels = Counter(
            d["primitiveType"].astype(str) for d in details if d["layerType"].astype(str) == "Convolution"
        )
        precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()  # f32, bf16 or f16
        return {"precision": precision, "kernels": kernels.most_common(1)[0][0] if kernels else "none"}


def main() -> None:
    """Serve requests until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m model_store.benchmark.worker", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the model")
    parser.add_argument("--hint", help="INFERENCE_PRECISION_HINT; without it the precision is the one that is served")
    parser.add_argument("--threads", type=int, help="INFERENCE_NUM_THREADS; without it OpenVINO chooses the number")
    parser.add_argument("--static", action="store_true", help="compile one model per shape")
    options = parser.parse_args()
    settings: dict[str, str | int] = {**compile_options(read_processor())}
    if options.hint:
        settings["INFERENCE_PRECISION_HINT"] = options.hint
    if options.threads:
        settings["INFERENCE_NUM_THREADS"] = options.threads
    runner = Runner(options.folder, settings, static=options.static)
    for line in sys.stdin:
        try:
            response = _respond(runner, json.loads(line))
        except (RuntimeError, UserError) as exc:
            response = {"error": str(exc).strip().splitlines()[-1][:300]}
        sys.stdout.write(json.dumps(response) + "\n")
        sys.stdout.flush()


def _respond(runner: Runner, request: dict[str, Any]) -> dict[str, Any]:
    if "size" in request:
        return runner.timed(*request["size"])
    if "pictures" in request:
        return {"detections": runner.detections(request["pictures"])}
    return runner.facts()


def memory_mb() -> float:
    """Resident memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
