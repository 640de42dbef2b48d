"""`make bench`: measure engines and whole requests in one run, and write the figures as JSON and Markdown."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from bench.engines import OLD, SERVED, TORCH, UPLOADED, candidates, largest_difference, make_subject, served_precision
from bench.limit import gemm_peak, limit_ms, operations
from bench.old_design import load_checkpoint, old_request
from bench.report import to_markdown
from bench.requests import Uploaded, half_megabyte_picture, served, unavoidable, upload
from detection.letterbox import fit
from local.checkout import commit, machine
from local.doors import BUCKETS, INPUT_BUCKET, OUTPUT_BUCKET
from local.s3 import LocalS3, local_s3
from model_store.benchmark.sampling import Samples, interleaved
from serving.contract import STEPS

HERE = Path(__file__).parent
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="samples of each candidate")
    parser.add_argument("--variants", nargs="+", default=["yolov7-w6", "yolov7-tiny"])
    parser.add_argument("--output", type=Path, default=HERE, help="folder of bench.json and bench.md")
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {"about": about(options.rounds), "variants": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BENTOML_HOME"] = str(folder / "bentoml")
        with local_s3(folder / "s3", INPUT_BUCKET, OUTPUT_BUCKET) as s3:
            for variant in options.variants:
                result["variants"][variant] = measure(variant, folder / variant, s3, options.rounds)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "bench.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "bench.md").write_text(to_markdown(result))
    print(to_markdown(result))
    return 0


def about(rounds: int) -> dict[str, Any]:
    """The machine, the date, the commit, and how the figures were measured."""
    flags = Path("/proc/cpuinfo").read_text()
    return {
        "machine": machine(),
        "matrix_instructions": [name for name in ("avx512_vnni", "avx512_bf16", "amx_bf16") if name in flags],
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "commit": commit(),
        "rounds": rounds,
        "command": "make bench",
    }


def measure(variant: str, folder: Path, s3: LocalS3, rounds: int) -> dict[str, Any]:
    """All figures of one variant."""
    folder.mkdir()
    subject = make_subject(variant, folder)
    picture, data = half_megabyte_picture()
    box = fit(picture.shape[1], picture.shape[0], subject.card.input_size, subject.card.stride)
    canvas = box.apply(picture)
    ways = candidates(subject, canvas)
    difference = largest_difference({name: [m.copy() for m in way()] for name, way in ways.items()})
    engines = interleaved(ways, rounds)
    work = operations(subject.network.fused(), torch.zeros(1, 3, box.height, box.width))
    precision = served_precision(subject)
    peaks = {name: gemm_peak(DTYPES[name]) for name in dict.fromkeys(("f32", "bf16", precision))}
    del ways
    upload(s3, data)
    resident = subject.network.fused()
    with served(subject, s3, folder) as (ask, start_ms):
        send, needed = Uploaded(ask.url, data), unavoidable(s3, picture, data)
        requests = interleaved(
            {
                OLD: old_request(subject.card, s3.client(), BUCKETS, lambda: load_checkpoint(subject.checkpoint)),
                TORCH: old_request(subject.card, s3.client(), BUCKETS, lambda: resident),
                SERVED: ask,
                UPLOADED: send,
                **needed,
            },
            rounds,
        )
    unavoidable_ms = {name: round(requests.pop(name).median_ms, 2) for name in needed}
    return {
        "input": [box.width, box.height],
        "picture_bytes": len(data),
        "operations": work,
        "precision": precision,
        "gemm_peak_per_s": peaks,
        "limit_ms": limit_ms(work, peaks, precision),
        "difference": difference,
        "engines": {name: samples.to_json() for name, samples in engines.items()},
        "requests": {name: samples.to_json() for name, samples in requests.items()},
        "steps": steps(ask.timings_ms[-rounds:], requests[SERVED]),
        "unavoidable_ms": unavoidable_ms,
        "upload_steps": steps(send.timings_ms[-rounds:], requests[UPLOADED]),
        "start_ms": {name: round(value, 1) for name, value in start_ms.items()},
    }


def steps(timings: list[dict[str, float]], whole: Samples) -> dict[str, float]:
    """Medians of the five steps in milliseconds; `http` is what HTTP and BentoML add to their total."""
    medians = {name: Samples(tuple(t[name] / 1000 for t in timings)).median_ms for name in (*STEPS, "total")}
    medians["http"] = whole.median_ms - medians["total"]
    return {name: round(value, 2) for name, value in medians.items()}


if __name__ == "__main__":
    sys.exit(main())
