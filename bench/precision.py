"""`python -m bench.precision`: fp32, fp16 and int8 by instruction set, and inputs of several shapes."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2

from bench.__main__ import HERE, about
from bench.report import heading
from detection.card import read_card
from detection.letterbox import fit
from model_store.benchmark.process import Worker
from model_store.benchmark.processor import AVX2, AVX2_VNNI, AVX512, VNNI, processor_flags
from model_store.benchmark.sampling import Samples, interleaved, spread
from model_store.calibration import FEWEST
from model_store.convert import from_random
from model_store.quantise import quantise
from scenes.render import TRAIN_SEEDS, render_scene

# `instructions` are the newest that OpenVINO's kernels may use. It still chooses bfloat16 where the processor has it,
# hence the hint.
WAYS: dict[str, dict[str, Any]] = {
    "fp32": {"model": "fp16", "hint": "f32", "instructions": None},
    "fp16, as served": {"model": "fp16", "hint": None, "instructions": None},
    "int8": {"model": "int8", "hint": None, "instructions": None},
    "fp32, no AMX, no bfloat16": {"model": "fp16", "hint": "f32", "instructions": VNNI},
    "fp16 without a hint, no AMX, no bfloat16": {"model": "fp16", "hint": None, "instructions": VNNI},
    "int8, no AMX, no bfloat16": {"model": "int8", "hint": "f32", "instructions": VNNI},
    "fp32, AVX-512": {"model": "fp16", "hint": "f32", "instructions": AVX512},
    "fp32, AVX2": {"model": "fp16", "hint": "f32", "instructions": AVX2},
    "int8, AVX-512 without VNNI": {"model": "int8", "hint": "f32", "instructions": AVX512},
    "int8, AVX2-VNNI": {"model": "int8", "hint": "f32", "instructions": AVX2_VNNI},
    "int8, AVX2": {"model": "int8", "hint": "f32", "instructions": AVX2},
}

# Such rows only keep the processor from what it may have; the others name the instructions that it uses.
WITHOUT = "no AMX, no bfloat16"

ASPECTS = ((4, 3), (3, 4), (1, 1), (16, 9), (9, 16), (3, 2), (2, 3), (2, 1))


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
            name: stack.enter_context(Worker(folders[way["model"]], hint=way["hint"], instructions=way["instructions"]))
            for name, way in possible(WAYS, processor_flags()).items()
        }
        samples = interleaved({n: lambda w=w: w.infer(box.width, box.height) for n, w in workers.items()}, rounds)  # type: ignore[misc]
    return {name: value.to_json() for name, value in samples.items()}


def possible(ways: dict[str, dict[str, Any]], flags: frozenset[str]) -> dict[str, dict[str, Any]]:
    """The ways of a processor with these flags: it has the instructions of a row that names some as what it uses."""
    return {
        name: way
        for name, way in ways.items()
        if way["instructions"] is None or name.endswith(WITHOUT) or way["instructions"].flags <= flags
    }


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
