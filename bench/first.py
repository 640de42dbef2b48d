"""`python -m bench.first`: the first inference of a process, which a cold start waits for, prepared in different ways.

Each sample is a process of its own, and the ways take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from bench.__main__ import HERE, about
from bench.report import heading
from detection.card import NETWORK, read_card
from detection.letterbox import PADDING, fit
from detection.openvino import OpenVINOEngine, compile_options
from detection.processor import read_processor
from local.checkout import ROOT
from model_store.benchmark.sampling import Samples, spread
from model_store.convert import from_random
from model_store.store import BUNDLED

PLAIN, SMALL, SAME, FIXED, HUGE = "nothing", "a small picture", "the same shape", "one fixed shape", "huge pages"
WAYS = {
    PLAIN: "compile the network",
    SMALL: "and an inference of one cell, which packs the weights",
    SAME: "and an inference of the same shape",
    FIXED: "compile the network for this shape alone",
    HUGE: "memory in pages of 2 MB: `GLIBC_TUNABLES=glibc.malloc.hugetlb=1`",
}
SUBJECTS = ("yolov7-w6", "yolov7-tiny", "bundled")
LATER = 3
COLUMNS = ("load", "first", "both", "later")


def main(arguments: list[str] | None = None) -> int:
    """Measure and write first.json and first.md; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.first", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="processes of each way")
    parser.add_argument("--subjects", nargs="+", default=list(SUBJECTS), choices=SUBJECTS, help="models to measure")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of first.json and first.md")
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {"about": about(options.rounds) | {"command": "python -m bench.first"}, "subjects": {}}
    for subject in options.subjects:
        with tempfile.TemporaryDirectory() as name:
            folder = BUNDLED if subject == "bundled" else Path(name)
            if subject != "bundled":
                from_random(subject, folder)
            result["subjects"][read_card(folder).name] = measure(folder, options.rounds)
    (options.output / "first.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "first.md").write_text(to_markdown(result))
    print(to_markdown(result))
    return 0


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """The times of each way by their names; a first round does not count."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for number in range(rounds + 1):
        for way in WAYS:
            sys.stderr.write(f"\rround {number} of {rounds}: {way:<20}")
            tunables = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"} if way == HUGE else {}
            code = f"from bench import first; first.sample({str(folder)!r}, {way!r})"
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=ROOT, env=os.environ | tunables, capture_output=True, check=True
            )
            if number:
                found[way].append(json.loads(done.stdout))
    sys.stderr.write("\r" + " " * 40 + "\r")
    return {
        way: {name: Samples(tuple(one[name] for one in samples)).to_json() for name in samples[0]}
        for way, samples in found.items()
    }


def sample(folder: str, way: str) -> None:
    """Print the seconds of one way in this process."""
    card = read_card(Path(folder))
    box = fit(4, 3, card.input_size, card.stride)
    picture = np.full((box.height, box.width, 3), PADDING, np.uint8)
    start = time.perf_counter()
    infer = fixed(Path(folder), picture) if way == FIXED else OpenVINOEngine(Path(folder)).infer
    if way == SMALL:
        with infer(np.full((card.stride, card.stride, 3), PADDING, np.uint8)):
            pass
    if way == SAME:
        with infer(picture):
            pass
    times = [time.perf_counter()]
    for _ in range(LATER + 1):
        with infer(picture):
            times.append(time.perf_counter())
    first, *later = np.diff(times)
    print(json.dumps({"load": times[0] - start, "first": first, "both": times[1] - start, "later": np.median(later)}))


def fixed(folder: Path, picture: Any) -> Any:
    """The inference of a network that is compiled for the shape of a picture alone."""
    import openvino as ov

    core = ov.Core()
    network = core.read_model(folder / NETWORK)
    network.reshape([1, *picture.shape])
    request = core.compile_model(network, "CPU", compile_options(read_processor())).create_infer_request()
    return lambda one: nullcontext(request.infer(one[np.newaxis], share_inputs=True))


def to_markdown(result: dict[str, Any]) -> str:
    """The page: a table per model, one row per way."""
    lines = [
        "# The first inference of a process",
        "",
        f"{heading(result['about'])}; the ways take turns, and each sample is a process of its own. A 4:3 picture. A "
        "cold start waits for the first inference, while the Lambda function loads the network beside its imports.",
    ]
    for name, ways in result["subjects"].items():
        lines += [
            "",
            f"## {name}",
            "",
            "| before the first inference | load, ms | first inference, ms | both, ms | later inferences, ms |",
            "|---|---|---|---|---|",
            *(
                f"| {WAYS[way]} | {' | '.join(spread(times[column], 0) for column in COLUMNS)} |"
                for way, times in ways.items()
            ),
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
