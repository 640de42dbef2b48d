"""`python -m bench.load`: what the service answers under load, compared with what its engine does alone.

The engine alone is another process with the same model, which runs one inference after the other. The service answers
users, who each send the next request when they have the response. There are two services: one computes a picture at a
time, as by default, the other one two. All take turns.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.__main__ import HERE, about
from bench.old_design import KEY
from bench.report import heading
from bench.requests import HEIGHT, WIDTH, half_megabyte_picture, upload
from detection.card import read_card
from detection.letterbox import fit
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, local_service, post
from local.processes import free_port
from local.s3 import local_s3
from model_store import store
from model_store.benchmark.process import Worker
from model_store.benchmark.sampling import Samples, spread
from model_store.convert import from_random

ANSWERS = {"yolov7-w6": 12, "yolov7-tiny": 100}  # of a turn, by network
CASES = ((1, 1), (9, 1), (18, 1), (1, 2), (9, 2))  # users, INFERENCES
GOAL, AT = 0.95, ((9, 1), (18, 1))  # The part of the engine's own throughput that these cases must reach.
PAUSE_S = 1.0  # Retry-After of a 503.


def main(arguments: list[str] | None = None) -> int:
    """Measure and write load.json and load.md; returns 1 if W6 answers less than the goal."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of the engine and of each case")
    parser.add_argument("--variants", nargs="+", default=list(ANSWERS), choices=list(ANSWERS), help="networks")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of load.json and load.md")
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {"about": about(options.rounds) | {"command": "python -m bench.load"}, "variants": {}}
    with tempfile.TemporaryDirectory() as name:
        os.environ["BENTOML_HOME"] = str(Path(name) / "bentoml")  # BentoML reads it once.
        for variant in options.variants:
            result["variants"][variant] = measure(Path(name), variant, options.rounds)
    (options.output / "load.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "load.md").write_text(to_markdown(result))
    print(to_markdown(result))
    return 0 if reached(result["variants"].get("yolov7-w6")) else 1


def measure(folder: Path, variant: str, rounds: int) -> dict[str, Any]:
    """The samples of the engine alone and of each case; the first round does not count."""
    model = folder / variant
    model.mkdir()
    from_random(variant, model)
    tag, card = store.put(model), read_card(model)
    box = fit(WIDTH, HEIGHT, card.input_size, card.stride)
    alone: list[float] = []
    loaded: dict[tuple[int, int], list[dict[str, Any]]] = {case: [] for case in CASES}
    with ExitStack() as stack:
        s3 = stack.enter_context(local_s3(folder / f"{variant}-s3", INPUT_BUCKET, OUTPUT_BUCKET))
        upload(s3, half_megabyte_picture()[1])
        engine = stack.enter_context(Worker(model))
        urls = {}
        for inferences in sorted({case[1] for case in CASES}):
            env, log = {"MODEL": str(tag), "INFERENCES": str(inferences)}, folder / f"{variant}-{inferences}.log"
            service = stack.enter_context(local_service(s3, port=free_port(), log=log, env=env))
            urls[inferences] = service.url
        for number in range(rounds + 1):
            sys.stderr.write(f"{variant}, round {number} of {rounds}\n")
            seconds = [engine.infer(box.width, box.height)["seconds"] for _ in range(ANSWERS[variant])]
            figures = {case: answered(urls[case[1]], case[0], ANSWERS[variant]) for case in CASES}
            if number:
                alone.append(statistics.fmean(seconds))
                for case, one in figures.items():
                    loaded[case].append(one)
    return {
        "answers": ANSWERS[variant],
        "alone": Samples(tuple(alone)).to_json(),
        "loaded": [{"users": users, "inferences": n, **summed(rows)} for (users, n), rows in loaded.items()],
    }


def answered(url: str, users: int, answers: int) -> dict[str, Any]:
    """Load the service with some users until it has answered so often: seconds per answer and per detection, and 503s.

    The time begins with the answer after which each user has had one, so that all are waiting by then.
    """
    ends: list[float] = []
    detect_s: list[float] = []
    busy = itertools.count()
    done, lock = threading.Event(), threading.Lock()

    def user() -> None:
        while not done.is_set():
            status, body = post(f"{url}/predict", json.dumps({"filename": KEY}).encode())
            if status == 503:
                next(busy)
                time.sleep(PAUSE_S)
                continue
            if status != 200:
                done.set()
                raise RuntimeError(f"the service answered {status}: {body.decode()}")
            with lock:
                ends.append(time.perf_counter())
                detect_s.append(json.loads(body)["timings_ms"]["detect"] / 1000)
                if len(ends) > users // 3 + answers:
                    done.set()

    threads = [threading.Thread(target=user) for _ in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = users // 3
    counted = slice(first, first + answers + 1)
    spent = ends[counted]
    if len(spent) < answers + 1:
        raise RuntimeError(f"the service answered {len(ends)} requests of {users} users")
    per_answer = (spent[-1] - spent[0]) / answers
    return {"answer": per_answer, "detect": statistics.fmean(detect_s[counted][1:]), "busy": next(busy)}


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The times of all rounds as samples, and the number of 503s."""
    times = {name: Samples(tuple(row[name] for row in rows)).to_json() for name in ("answer", "detect")}
    return {**times, "busy": sum(row["busy"] for row in rows)}


def share(alone: dict[str, Any], case: dict[str, Any]) -> float:
    """A case's answers per second over the engine's inferences per second: the median of the rounds."""
    pairs = zip(alone["samples_ms"], case["answer"]["samples_ms"], strict=True)
    return float(statistics.median(one / other for one, other in pairs))


def reached(figures: dict[str, Any] | None) -> bool:
    """Whether one network reaches the goal, or was not measured."""
    if figures is None:
        return True
    cases = [one for one in figures["loaded"] if (one["users"], one["inferences"]) in AT]
    return min(share(figures["alone"], one) for one in cases) >= GOAL


def to_markdown(result: dict[str, Any]) -> str:
    """The page: for each network a row for the engine and for each case, and where the rest goes."""
    lines = [
        "# Throughput under load",
        "",
        f"{heading(result['about'])}; the engine alone and the services take turns. Random weights, a picture of "
        "0.5 MB from S3, the annotated picture stored. Users, services and S3 share the processors; a user who is told "
        "503 waits as long as Retry-After says.",
    ]
    for variant, figures in result["variants"].items():
        alone = figures["alone"]
        lines += [
            "",
            f"## {variant}, {figures['answers']} answers a turn",
            "",
            "| users | `INFERENCES` | ms per answer | answers per second | of the engine alone | `detect`, ms | 503s |",
            "|---|---|---|---|---|---|---|",
            f"| the engine alone | | {spread(alone)} | {1000 / alone['median_ms']:.3f} | 100% | {spread(alone)} | |",
        ]
        for one in figures["loaded"]:
            lines.append(
                f"| {one['users']} | {one['inferences']} | {spread(one['answer'])} "
                f"| {1000 / one['answer']['median_ms']:.3f} | {share(alone, one):.1%} | {spread(one['detect'])} "
                f"| {one['busy']} |"
            )
        lines += ["", *rest(figures)]
    return "\n".join(lines) + "\n"


def rest(figures: dict[str, Any]) -> Iterator[str]:
    """The parts of what the service needs more than the engine alone, for the cases with a goal."""
    alone = figures["alone"]["median_ms"]
    for one in figures["loaded"]:
        if (one["users"], one["inferences"]) in AT:
            detect, answer = one["detect"]["median_ms"], one["answer"]["median_ms"]
            yield (
                f"With {one['users']} users an answer takes {answer - alone:.0f} ms more than an inference of the "
                f"engine alone. `detect` takes {detect - alone:.0f} ms more: it includes letterbox and NMS, and other "
                "requests are decoded, annotated and stored on the same processors. Between two `detect` pass "
                f"{answer - detect:.0f} ms."
            )


if __name__ == "__main__":
    raise SystemExit(main())
