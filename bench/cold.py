"""`python -m bench.cold`: cold starts and warm requests of the Lambda function, compared with two other functions.

All three run under AWS's runtime interface emulator on this machine and take turns in one run.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bench.__main__ import HERE, about
from bench.cold_page import BEFORE, OLD, OURS, to_markdown
from bench.imports import measure_imports
from bench.old_design import KEY
from bench.requests import half_megabyte_picture, upload
from detection.card import read_card
from local.aws_lambda.sandbox import Function, Sandbox
from local.checkout import ROOT
from local.doors import BUCKETS, INPUT_BUCKET, OUTPUT_BUCKET
from local.s3 import local_s3
from model_store import store
from model_store.benchmark.sampling import Samples
from model_store.convert import from_random, random_network
from serving.contract import STEPS

HANDLERS = {
    OLD: "bench.old_handler.handler",
    BEFORE: "bench.plain_handler.handler",
    OURS: "lambda_function.handler",
}
SUBJECTS = ("yolov7-w6", "yolov7-tiny", "bundled")
WARM = 5


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="cold starts of each function")
    parser.add_argument("--subjects", nargs="+", default=list(SUBJECTS), choices=SUBJECTS, help="models to measure")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of cold.json and cold.md")
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {"about": {**about(options.rounds), "command": "python -m bench.cold"}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with local_s3(folder / "s3", INPUT_BUCKET, OUTPUT_BUCKET) as s3:
            upload(s3, half_megabyte_picture()[1])
            result["subjects"] = {
                subject: measure(subject, folder / subject, s3.env | BUCKETS, options.rounds)
                for subject in options.subjects
            }
            env = s3.env | BUCKETS | {"MODEL_FOLDER": str(store.BUNDLED), "AWS_LAMBDA_FUNCTION_NAME": "yolov7"}
            result["imports"] = {name: measure_imports(HANDLERS[name], env, options.rounds) for name in (BEFORE, OURS)}
    (options.output / "cold.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "cold.md").write_text(to_markdown(result))
    print(to_markdown(result))
    return 0


def measure(subject: str, folder: Path, env: Mapping[str, str], rounds: int) -> dict[str, Any]:
    """Cold starts of all functions with one model; the functions take turns."""
    handlers = dict(HANDLERS)
    env = dict(env)
    if subject == "bundled":
        del handlers[OLD]  # The bundled model has no checkpoint.
        env["MODEL_FOLDER"] = str(store.BUNDLED)
    else:
        folder.mkdir()
        from_random(subject, folder)
        torch.save(random_network(subject).half(), folder / "checkpoint.pt")
        env |= {"MODEL_FOLDER": str(folder), "CHECKPOINT": str(folder / "checkpoint.pt")}
    colds: dict[str, list[dict[str, float]]] = defaultdict(list)
    warm: list[dict[str, float]] = []
    for number in range(rounds + 1):
        for name, handler in handlers.items():
            sys.stderr.write(f"\r{subject}, round {number} of {rounds}: {name:<30}")
            cold, later = start(handler, env, WARM if name == OURS else 0)
            if number:
                colds[name].append(cold)
                warm += later
    sys.stderr.write("\r" + " " * 70 + "\r")
    return {
        "card": read_card(Path(env["MODEL_FOLDER"])).name,
        "cold": {name: columns(samples) for name, samples in colds.items()},
        "warm": columns(warm),
    }


def columns(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Median, quartiles and samples of each part, from rows of parts in milliseconds."""
    return {name: Samples(tuple(row[name] / 1000 for row in rows)).to_json() for name in rows[0]}


def start(
    handler: str, env: Mapping[str, str], warm: int, root: Path = ROOT
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """One cold start and some warm requests after it: the known parts of each, in milliseconds.

    `root` is the checkout with the handler.
    """
    folder = Path(tempfile.mkdtemp())
    event = json.dumps({"filename": KEY}).encode()
    begin = time.perf_counter()
    # AWS gives this much memory more CPUs than most machines have, so the CPU is not scaled down.
    sandbox = Sandbox(Function(handler, root, env, memory_mb=10_240, timeout_s=60), folder)
    try:
        done = sandbox.invoke(event)
        total = (time.perf_counter() - begin) * 1000
        log = sandbox.log.read_text()
        if done.failure or b'"error"' in done.payload:
            raise RuntimeError(f"{handler}: {done.payload.decode()[:500]}; log:\n{log[-2000:]}")
        cold = {"total": total, "init": done.init_ms, "first request": done.duration_ms}
        cold |= logged_load_ms(log) | step_times(done.payload)
        again = [sandbox.invoke(event) for _ in range(warm)]
    finally:
        sandbox.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return cold, [warm_parts(one.duration_ms, step_times(one.payload)) for one in again]


def logged_load_ms(log: str) -> dict[str, float]:
    """The milliseconds of each part of loading in a function's JSON log; empty for the old design, which logs none."""
    found = re.search(r'\{\\"load_ms\\": (\{.*?\})\}', log)
    return dict(json.loads(found[1].replace('\\"', '"'))) if found else {}


def step_times(payload: bytes) -> dict[str, float]:
    """The milliseconds of each of the five steps in a response; empty for the old design, which reports none."""
    timings = json.loads(payload).get("timings_ms", {})
    return {step: timings[step] for step in STEPS if step in timings}


def warm_parts(whole_ms: float, steps: Mapping[str, float]) -> dict[str, float]:
    """A warm request, its steps, and `rest`: the request without the network and S3, in milliseconds."""
    return {"whole": whole_ms, **steps, "rest": whole_ms - steps["detect"] - steps["fetch"] - steps["store"]}


if __name__ == "__main__":
    sys.exit(main())
