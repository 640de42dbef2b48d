"""`python -m bench.worker`: a process that runs one model in one way, one inference per line of standard input.

A line holds width and height; the response is a line of JSON with the seconds and the process's memory in MB. This is a
separate process because oneDNN fixes the instructions that it may use when it is loaded.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import openvino as ov

from detection.card import NETWORK


def main() -> None:
    """Run inferences until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.worker", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the model")
    parser.add_argument("--hint", help="INFERENCE_PRECISION_HINT; without it OpenVINO chooses the precision")
    parser.add_argument("--threads", type=int, help="INFERENCE_NUM_THREADS; without it OpenVINO chooses the number")
    parser.add_argument("--static", action="store_true", help="compile one model per shape")
    options = parser.parse_args()
    settings: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY"}
    if options.hint:
        settings["INFERENCE_PRECISION_HINT"] = options.hint
    if options.threads:
        settings["INFERENCE_NUM_THREADS"] = options.threads
    core = ov.Core()
    compiled: dict[tuple[int, int], ov.InferRequest] = {}
    for line in sys.stdin:
        width, height = (int(part) for part in line.split())
        picture = np.random.default_rng(width * height).integers(0, 256, (1, height, width, 3), np.uint8)
        start = time.perf_counter()
        key = (width, height) if options.static else (0, 0)
        if key not in compiled:
            model = core.read_model(options.folder / NETWORK)
            if options.static:
                model.reshape([1, height, width, 3])
            compiled[key] = core.compile_model(model, "CPU", settings).create_infer_request()
        compiled[key].infer(picture, share_inputs=True)
        seconds = time.perf_counter() - start
        sys.stdout.write(json.dumps({"seconds": seconds, "memory_mb": memory_mb()}) + "\n")
        sys.stdout.flush()


def memory_mb() -> float:
    """Resident memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
