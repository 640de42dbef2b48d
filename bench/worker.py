"""A process that runs one model in one way, one inference per line of standard input.

Each line says width and height; the answer is one line of JSON: seconds, and the process's memory in MB. It is a
process of its own because the instructions that oneDNN may use are fixed when it is loaded.
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
    """Answer until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hint", help="INFERENCE_PRECISION_HINT; OpenVINO's own choice when absent")
    parser.add_argument("--static", action="store_true", help="compile the model anew for every size")
    options = parser.parse_args()
    settings = {"PERFORMANCE_HINT": "LATENCY"} | ({"INFERENCE_PRECISION_HINT": options.hint} if options.hint else {})
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
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
