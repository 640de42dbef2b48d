"""`python -m bench.cold`: cold starts and warm requests of the Lambda door, beside two other functions.

All three run under AWS's runtime interface emulator on this machine, in turns, in one run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bench.__main__ import HERE, about
from bench.old_design import KEY
from bench.report import heading, spread
from bench.requests import half_megabyte_picture, upload
from bench.sampling import Samples
from detection.card import read_card
from local.aws_lambda.sandbox import Function, Sandbox
from local.checkout import ROOT
from local.doors import BUCKETS, INPUT_BUCKET, OUTPUT_BUCKET
from local.s3 import local_s3
from model_store import store
from model_store.convert import from_random, random_network
from serving.contract import STEPS

OURS, BEFORE, OLD = "this door", "before the work on it", "old design"
HANDLERS = {
    OLD: "bench.old_handler.handler",
    BEFORE: "bench.plain_handler.handler",
    OURS: "lambda_function.handler",
}
SUBJECTS = ("yolov7-w6", "yolov7-tiny", "bundled")
WARM = 5
# Packages by their time in `-X importtime`; what is not named is Python's own library.
GROUPS = {
    "boto3": ("boto3", "botocore", "s3transfer", "urllib3", "jmespath", "dateutil", "six"),
    "Powertools": ("aws_lambda_powertools", "snapshot_restore_py"),
    "X-Ray": ("aws_xray_sdk", "wrapt"),
    "pydantic": ("pydantic", "pydantic_core", "pydantic_settings", "typing_extensions", "annotated_types", "dotenv",
                 "typing_inspection"),
    "OpenVINO": ("openvino", "openvino_telemetry"),
    "numpy": ("numpy",),
    "OpenCV": ("cv2",),
    "Pillow": ("PIL",),
    "this project": ("detection", "lambda_function", "model_store", "serving"),
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="cold starts of each function")
    parser.add_argument("--subjects", nargs="+", default=list(SUBJECTS), choices=SUBJECTS)
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
            result["imports"] = {name: imports(HANDLERS[name], env, options.rounds) for name in (BEFORE, OURS)}
    (options.output / "cold.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "cold.md").write_text(to_markdown(result))
    print(to_markdown(result))
    return 0


def measure(subject: str, folder: Path, env: Mapping[str, str], rounds: int) -> dict[str, Any]:
    """Cold starts of all functions with one model, in turns."""
    handlers = dict(HANDLERS)
    env = dict(env)
    if subject == "bundled":
        del handlers[OLD]  # There is no checkpoint of it.
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
    """Samples of each part, from the parts of each sample; milliseconds in, as everywhere."""
    return {name: Samples(tuple(row[name] / 1000 for row in rows)).to_json() for name in rows[0]}


def start(handler: str, env: Mapping[str, str], warm: int) -> tuple[dict[str, float], list[dict[str, float]]]:
    """One cold start, and some warm requests after it: milliseconds of every part that is known."""
    folder = Path(tempfile.mkdtemp())
    event = json.dumps({"filename": KEY}).encode()
    begin = time.perf_counter()
    # With this much memory AWS would give more CPUs than most machines have: nothing is scaled down.
    sandbox = Sandbox(Function(handler, ROOT, env, memory_mb=10_240, timeout_s=60), folder)
    try:
        done = sandbox.invoke(event)
        total = (time.perf_counter() - begin) * 1000
        if done.failure or b'"error"' in done.payload:
            raise RuntimeError(f"{handler}: {done.payload.decode()[:500]}; log:\n{sandbox.log.read_text()[-2000:]}")
        loaded = re.search(r'\{\\"load_ms\\": (\{.*?\})\}', sandbox.log.read_text())
        parts = {"total": total, "init": done.init_ms, "first request": done.duration_ms}
        if loaded:
            parts |= {name: value for name, value in json.loads(loaded[1].replace('\\"', '"')).items()}
        timings = json.loads(done.payload).get("timings_ms", {})
        parts |= {step: timings[step] for step in STEPS if step in timings}
        later = []
        for _ in range(warm):
            again = sandbox.invoke(event)
            timings = json.loads(again.payload)["timings_ms"]
            own = again.duration_ms - timings["detect"] - timings["fetch"] - timings["store"]
            later.append({"whole": again.duration_ms, **{step: timings[step] for step in STEPS}, "own": own})
    finally:
        sandbox.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return parts, later


def imports(handler: str, env: Mapping[str, str], rounds: int) -> dict[str, float]:
    """Milliseconds that `-X importtime` counts for each group of packages, medians; compiling interferes."""
    module = handler.rpartition(".")[0]
    environment = {"PATH": os.environ["PATH"], **env}
    sums: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        command = [sys.executable, "-X", "importtime", "-c", f"import awslambdaric.bootstrap, {module}"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        spent: dict[str, float] = dict.fromkeys([*GROUPS, "Python's own library and awslambdaric"], 0.0)
        for own, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", done.stderr):
            top = name.partition(".")[0]
            if name in (module, "lambda_function"):
                continue  # What it does at the top is not an import.
            group = next((g for g, names in GROUPS.items() if top in names), "Python's own library and awslambdaric")
            spent[group] += int(own) / 1000
        for group, value in spent.items():
            sums[group].append(value)
    return {group: sorted(values)[len(values) // 2] for group, values in sums.items()}


def to_markdown(result: dict[str, Any]) -> str:
    """The figures as tables."""
    lines = [
        "# Cold starts of the Lambda door",
        "",
        f"{heading(result['about'])}; "
        "the functions take turns within each round, each start is a new process under AWS's runtime interface "
        "emulator, on this machine and not on AWS. CPU not scaled, files in the page cache, S3 on the same machine, "
        f"a picture of 0.5 MB and 4:3. `{BEFORE}` is [plain_handler.py](plain_handler.py), `{OLD}` "
        "[old_handler.py](old_handler.py).",
    ]
    for figures in result["subjects"].values():
        lines += ["", f"## {figures['card']}", "", *_cold(figures["cold"]), "", *_parts(figures["cold"]), ""]
        lines += [_warm(figures["warm"])]
    lines += ["", "## Imports", "", *_imports(result["imports"])]
    return "\n".join(lines) + "\n"


def _cold(cold: dict[str, Any]) -> list[str]:
    ours = cold[OURS]["total"]["median_ms"]
    return [
        "| process started to first answer | ms | times this door | init, ms |",
        "|---|---|---|---|",
        *(
            f"| {name} | {spread(parts['total'], 0)} | {parts['total']['median_ms'] / ours:.1f} "
            f"| {spread(parts['init'], 0)} |"
            for name, parts in cold.items()
        ),
    ]


def _parts(cold: dict[str, Any]) -> list[str]:
    """Where the time goes, before and after; the first two rows are what the others leave of the whole."""

    def row(name: str) -> dict[str, float]:
        parts = {part: samples["median_ms"] for part, samples in cold[name].items()}
        known = {
            "S3 client": parts["s3_client"],
            "compile the network" if name == BEFORE else "wait for the network to be compiled": parts["compile"],
            "one inference to warm up": parts.get("warm_up", 0.0),
        }
        return {
            "emulator": parts["total"] - parts["init"] - parts["first request"],
            "Python and imports": parts["init"] - sum(known.values()),
            **known,
            **{f"first request: {step}": parts[step] for step in STEPS},
            "first request: the rest": parts["first request"] - sum(parts[step] for step in STEPS),
        }

    before, after = row(BEFORE), row(OURS)
    names = list(dict.fromkeys([*before, *after]))
    names.sort(key=lambda name: name.startswith("first request"))
    shown = [(name, before.get(name, 0.0), after.get(name, 0.0)) for name in names]
    return [
        "| part, ms | before | now |",
        "|---|---|---|",
        *(f"| {name} | {then:.0f} | {now:.0f} |" for name, then, now in shown if max(then, now) >= 0.5),
    ]


def _warm(warm: dict[str, Any]) -> str:
    steps = ", ".join(f"{step} {warm[step]['median_ms']:.1f}" for step in STEPS)
    return (
        f"Warm: {spread(warm['whole'], 0)} ms, of which {steps}. Beside detecting and S3: {spread(warm['own'], 0)} ms "
        "(decode, annotate, the runtime, the emulator)."
    )


def _imports(found: dict[str, dict[str, float]]) -> list[str]:
    total = {name: sum(groups.values()) for name, groups in found.items()}
    return [
        "| package, ms of `-X importtime` | before | now |",
        "|---|---|---|",
        *(f"| {group} | {found[BEFORE][group]:.0f} | {found[OURS][group]:.0f} |" for group in found[OURS]),
        f"| all | {total[BEFORE]:.0f} | {total[OURS]:.0f} |",
    ]


if __name__ == "__main__":
    sys.exit(main())
