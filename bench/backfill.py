"""`python -m bench.backfill`: the share of time that a backfill keeps the engine of one service busy.

The rest is time in which the engine waits for the next picture. One request in flight shows how much fetch, decode,
annotate and store take; with more requests they overlap with the engine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from backfill.journal import Journal
from backfill.run import Run
from backfill.selection import Selection
from backfill.send import HttpTarget
from backfill.sources import BucketSource
from bench.__main__ import HERE, about
from bench.report import heading
from bench.requests import half_megabyte_picture
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, local_service
from local.processes import free_port
from local.s3 import local_s3
from model_store import store
from model_store.convert import from_random

CONCURRENCIES = (1, 2, 4)
GOAL, AT = 0.95, 4  # The busy share that the default concurrency must reach.
PREFIX = "backfill/"
TIMEOUT_S = 600.0


def main(arguments: list[str] | None = None) -> int:
    """Measure and write backfill.json and backfill.md; returns 1 if the engine is not busy enough."""
    parser = argparse.ArgumentParser(prog="python -m bench.backfill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each concurrency")
    parser.add_argument("--pictures", type=int, default=30, help="pictures of a run")
    parser.add_argument("--variant", default="yolov7-w6", help="network to measure, with random weights")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of backfill.json and backfill.md")
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {
        "about": about(options.rounds) | {"command": "python -m bench.backfill"},
        "variant": options.variant,
        "pictures": options.pictures,
    }
    with tempfile.TemporaryDirectory() as name:
        result["runs"] = measure(Path(name), options.variant, options.pictures, options.rounds)
    (options.output / "backfill.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "backfill.md").write_text(to_markdown(result))
    print(to_markdown(result))
    return 0 if reached(result) >= GOAL else 1


def measure(folder: Path, variant: str, pictures: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    """The figures of each run by its concurrency; the concurrencies take turns, and the first round is dropped."""
    os.environ["BENTOML_HOME"] = str(folder / "bentoml")
    (folder / "model").mkdir()
    from_random(variant, folder / "model")
    tag = store.put(folder / "model")
    _, data = half_megabyte_picture()
    found: dict[str, list[dict[str, float]]] = {str(number): [] for number in CONCURRENCIES}
    with local_s3(folder / "s3", INPUT_BUCKET, OUTPUT_BUCKET) as s3:
        os.environ.update(s3.env)  # The source makes its own client, as in a real run.
        for number in range(pictures):
            s3.client().put_object(Bucket=INPUT_BUCKET, Key=f"{PREFIX}{number:03}.jpg", Body=data)
        # On a slow machine several requests of W6 take longer than the usual deadline.
        env = {"MODEL": str(tag), "REQUEST_TIMEOUT_S": f"{TIMEOUT_S:g}"}
        with local_service(s3, port=free_port(), log=folder / "service.log", env=env) as service:
            for number in range(rounds + 1):
                for concurrency in CONCURRENCIES:
                    sys.stderr.write(f"round {number} of {rounds}: {concurrency} in flight\n")
                    figures = run_once(service.url, concurrency, folder / f"{number}-{concurrency}.sqlite")
                    if number:
                        found[str(concurrency)].append(figures)
    return found


def run_once(url: str, concurrency: int, journal_path: Path) -> dict[str, float]:
    """Send all pictures once: the busy share of the engine (0..1), and pictures per second."""
    journal, stopping = Journal(journal_path, {}), threading.Event()
    target = HttpTarget(f"{url}/predict", {}, None, TIMEOUT_S, stopping, concurrency)
    start = time.perf_counter()
    selection = Selection(BucketSource(INPUT_BUCKET, PREFIX), journal, {}, stopping)
    Run(selection, target, concurrency).go()
    seconds = time.perf_counter() - start
    answers = [entry.answer for entry in journal.entries() if entry.state == "done"]
    counts = journal.counts()
    journal.close()
    if set(counts) != {"done"}:
        raise RuntimeError(f"a picture failed: {counts}")
    busy = sum(answer["timings_ms"]["detect"] for answer in answers) / 1000 / seconds
    return {"busy": round(busy, 4), "per_s": round(len(answers) / seconds, 4)}


def to_markdown(result: dict[str, Any]) -> str:
    """The page: one row per concurrency."""
    lines = [
        "# Backfill",
        "",
        f"{heading(result['about'])}. {result['pictures']} pictures of 0.5 MB a run, {result['variant']} with random "
        "weights, S3 and the backfill on the same machine as the service. Busy: the `detect` times of all answers over "
        "the time of the run.",
        "",
        "| requests in flight | engine busy, % | pictures per second |",
        "|---|---|---|",
    ]
    for number, runs in result["runs"].items():
        busy, rate = [one["busy"] * 100 for one in runs], [one["per_s"] for one in runs]
        lines.append(f"| {number} | {spread(busy, 1)} | {spread(rate, 3)} |")
    verdict = "reaches" if reached(result) >= GOAL else "does not reach"
    lines += ["", f"The default, {AT} requests in flight, {verdict} the goal of {GOAL:.0%}: {reached(result):.1%}."]
    return "\n".join(lines) + "\n"


def reached(result: dict[str, Any]) -> float:
    """The median of the engine's busy share with the default number of requests in flight."""
    return float(statistics.median(one["busy"] for one in result["runs"][str(AT)]))


def spread(values: list[float], digits: int) -> str:
    """The median with the quartiles in brackets."""
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return f"{statistics.median(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


if __name__ == "__main__":
    raise SystemExit(main())
