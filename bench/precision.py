"""`python -m bench.precision`: fp32, fp16 and int8 with and without AMX and bfloat16, and inputs of several shapes."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2

from bench.__main__ import HERE, about
from bench.report import heading, spread
from bench.sampling import Samples, interleaved
from detection.card import read_card
from detection.letterbox import fit
from model_store.convert import from_random
from model_store.quantise import FEWEST, quantise
from scenes.render import TRAIN_SEEDS, render_scene

# `isa` is the newest instruction set that oneDNN may use. OpenVINO ignores it and still chooses bfloat16 where the
# processor has it, hence the hint.
WAYS: dict[str, dict[str, str | None]] = {
    "fp32": {"model": "fp16", "hint": "f32", "isa": None},
    "fp16, as served": {"model": "fp16", "hint": None, "isa": None},
    "int8": {"model": "int8", "hint": None, "isa": None},
    "fp32, no AMX, no bfloat16": {"model": "fp16", "hint": "f32", "isa": "AVX512_CORE_VNNI"},
    "fp16 without a hint, no AMX, no bfloat16": {"model": "fp16", "hint": None, "isa": "AVX512_CORE_VNNI"},
    "int8, no AMX, no bfloat16": {"model": "int8", "hint": "f32", "isa": "AVX512_CORE_VNNI"},
}

ASPECTS = ((4, 3), (3, 4), (1, 1), (16, 9), (9, 16), (3, 2), (2, 3), (2, 1))


class Worker:
    """A worker process that runs one model in one way."""

    def __init__(
        self, folder: Path, *, hint: str | None = None, isa: str | None = None, static: bool = False, threads: int = 0
    ) -> None:
        command = [sys.executable, "-m", "bench.worker", str(folder)]
        command += (["--hint", hint] if hint else []) + (["--static"] if static else [])
        command += ["--threads", str(threads)] if threads else []
        env = os.environ | ({"ONEDNN_MAX_CPU_ISA": isa} if isa else {})
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)

    def infer(self, width: int, height: int) -> dict[str, float]:
        """Run one inference; returns its `seconds` and the process's `memory_mb`."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{width} {height}\n")
        self.process.stdin.flush()
        answer: dict[str, float] = json.loads(self.process.stdout.readline())
        return answer


def main(arguments: list[str] | None = None) -> int:
    """Measure and write precision.json and precision.md; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.precision", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="samples of each precision and shape")
    parser.add_argument("--variants", nargs="+", default=["yolov7-w6", "yolov7-tiny"], help="networks to measure")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of precision.json and precision.md")
    options = parser.parse_args(arguments)
    facts = about(options.rounds) | {"command": "python -m bench.precision"}
    result: dict[str, Any] = {"about": facts, "variants": {}}
    for variant in options.variants:
        with tempfile.TemporaryDirectory() as name:
            folders = make_models(variant, Path(name))
            size, stride = read_card(folders["fp16"]).input_size, read_card(folders["fp16"]).stride
            result["variants"][variant] = {
                "precisions": precisions(folders, size, stride, options.rounds),
                "shapes": shapes(folders["fp16"], size, stride, options.rounds),
            }
    (options.output / "precision.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "precision.md").write_text(to_markdown(result))
    print(to_markdown(result))
    return 0


def make_models(variant: str, folder: Path) -> dict[str, Path]:
    """Convert the same random weights to fp16 and int8; only the speed matters, so few pictures calibrate."""
    folders = {name: folder / name for name in ("fp16", "int8")}
    pictures = folder / "pictures"
    for path in (*folders.values(), pictures):
        path.mkdir()
    for seed in TRAIN_SEEDS[:FEWEST]:
        cv2.imwrite(str(pictures / f"{seed}.jpg"), render_scene(seed).image)
    for path in folders.values():
        from_random(variant, path)
    quantise(folders["int8"], pictures)
    return folders


def precisions(folders: dict[str, Path], size: int, stride: int, rounds: int) -> dict[str, Any]:
    """Time each way to compute a 4:3 picture; the ways take turns."""
    box = fit(4, 3, size, stride)
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(folders[str(way["model"])], hint=way["hint"], isa=way["isa"]))
            for name, way in WAYS.items()
        }
        samples = interleaved({n: lambda w=w: w.infer(box.width, box.height) for n, w in workers.items()}, rounds)  # type: ignore[misc]
    return {name: value.to_json() for name, value in samples.items()}


def shapes(folder: Path, size: int, stride: int, rounds: int) -> dict[str, Any]:
    """Compare one model for all shapes with a model compiled per shape: first and later inferences, and memory."""
    boxes = [fit(*aspect, size, stride) for aspect in ASPECTS]
    figures = {}
    for name, static in (("one dynamic model", False), ("a model compiled per shape", True)):
        with Worker(folder, static=static) as worker:
            worker.infer(boxes[0].width, boxes[0].height)
            start = worker.infer(boxes[0].width, boxes[0].height)["memory_mb"]
            first = [worker.infer(b.width, b.height)["seconds"] for b in boxes[1:]]
            later = [worker.infer(b.width, b.height) for _ in range(rounds) for b in boxes]
            figures[name] = {
                "first_of_a_shape": Samples(tuple(first)).to_json(),
                "later": Samples(tuple(answer["seconds"] for answer in later)).to_json(),
                "memory_mb_one_shape": round(start),
                "memory_mb_all_shapes": round(later[-1]["memory_mb"]),
            }
    return figures


def to_markdown(result: dict[str, Any]) -> str:
    """The page: two tables per variant."""
    about = result["about"]
    lines = [
        "# Precision and shapes",
        "",
        f"{heading(about)}. Random weights.",
    ]
    for variant, figures in result["variants"].items():
        fp32 = figures["precisions"]["fp32, no AMX, no bfloat16"]["median_ms"]
        lines += ["", f"## {variant}, a 4:3 picture", ""]
        lines += ["| precision | ms | speed-up over fp32 without AMX and bfloat16 |", "|---|---|---|"]
        for name, samples in figures["precisions"].items():
            lines.append(f"| {name} | {spread(samples)} | {fp32 / samples['median_ms']:.2f} |")
        lines += [
            "",
            f"| {len(ASPECTS)} shapes in turn | first inference of a shape, ms | later inferences, ms "
            "| memory with one shape, MB | memory with all shapes, MB |",
            "|---|---|---|---|---|",
        ]
        for name, row in figures["shapes"].items():
            lines.append(
                f"| {name} | {row['first_of_a_shape']['median_ms']:.0f} | {row['later']['median_ms']:.0f} "
                f"| {row['memory_mb_one_shape']} | {row['memory_mb_all_shapes']} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
