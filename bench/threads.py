"""`python -m bench.threads`: one inference under quotas of processors, with different numbers of threads.

Needs Linux control groups, so it runs as root. The workers take turns, so that only one of them computes at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.__main__ import HERE, about
from bench.report import heading
from detection.card import read_card
from detection.letterbox import fit
from local.aws_lambda.cgroups import Cgroup
from model_store.benchmark.process import Worker
from model_store.benchmark.sampling import interleaved, spread
from model_store.convert import from_random

QUOTAS = (0.5, 1.0, 1.5, 1.7, 2.0)
MEMORY = 4 * 1024**3


def main(arguments: list[str] | None = None) -> int:
    """Measure and write threads.json and threads.md; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.threads", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="samples of each quota and number of threads")
    parser.add_argument("--variants", nargs="+", default=["yolov7-w6", "yolov7-tiny"], help="networks to measure")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of threads.json and threads.md")
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {"about": about(options.rounds) | {"command": "python -m bench.threads"}, "variants": {}}
    for variant in options.variants:
        with tempfile.TemporaryDirectory() as name:
            from_random(variant, Path(name))
            measured = measure(Path(name), options.rounds)
        if measured is None:
            print("error: this user may not make control groups: run as root", file=sys.stderr)
            return 1
        result["variants"][variant] = measured
    (options.output / "threads.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "threads.md").write_text(to_markdown(result))
    print(to_markdown(result))
    return 0


def measure(folder: Path, rounds: int) -> dict[str, Any] | None:
    """Time a 4:3 picture under each quota with each number of threads; None without control groups."""
    card = read_card(folder)
    box = fit(4, 3, card.input_size, card.stride)
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for quota in QUOTAS:
            for threads in range(1, (os.cpu_count() or 1) + 1):
                group = Cgroup.create(f"bench-threads-{os.getpid()}-{len(workers)}", MEMORY)
                if group is None:
                    return None
                stack.callback(group.remove)
                worker = stack.enter_context(Worker(folder, threads=threads))
                group.add(worker.process.pid)
                group.limit_cpu(quota)
                workers[f"{quota:g} {threads}"] = worker
        samples = interleaved({n: lambda w=w: w.infer(box.width, box.height) for n, w in workers.items()}, rounds)  # type: ignore[misc]
    return {name: value.to_json() for name, value in samples.items()}


def to_markdown(result: dict[str, Any]) -> str:
    """The page: a table per variant, one row per quota."""
    lines = ["# Threads and quotas", "", f"{heading(result['about'])}. One inference of a 4:3 picture. Random weights."]
    for variant, figures in result["variants"].items():
        counts = sorted({int(name.split()[1]) for name in figures})
        titles = " | ".join(f"{count} thread{'s' * (count > 1)}, ms" for count in counts)
        lines += ["", f"## {variant}", "", f"| processors | {titles} |", "|---" * (len(counts) + 1) + "|"]
        for quota in QUOTAS:
            cells = " | ".join(spread(figures[f"{quota:g} {count}"]) for count in counts)
            lines.append(f"| {quota:g} | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
