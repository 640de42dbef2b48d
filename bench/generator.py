"""`python -m bench.generator`: the overhead of the load test: JMeter compared with a bare client, and the reports.

The service and S3 run on one core and the client on another, so this needs Linux and two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.__main__ import HERE, about
from bench.report import heading
from loadtest.profiles import load_profile
from loadtest.results.samples import read_samples
from loadtest.run.runner import Job, run
from loadtest.runs import SAMPLES, Record, parse_target
from local.checkout import ROOT
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, local_service
from local.processes import free_port
from local.s3 import local_s3
from model_store import store
from model_store.benchmark.sampling import Samples, spread
from scenes import pictures

JMETER, BARE = "JMeter", "bare client"
REQUESTS = {1: 100, 18: 20}  # requests of each user, by the number of users
SIZES = (10_000, 100_000, 1_000_000)


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.generator", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each client")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="samples of a run to report on")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of generator.json and generator.md")
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {"about": {**about(options.rounds), "command": "python -m bench.generator"}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result["reports"] = {size: report(size, folder / str(size), options.rounds) for size in sorted(options.sizes)}
        result["clients"] = clients(folder, options.rounds)
    (options.output / "generator.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "generator.md").write_text(to_markdown(result))
    print(to_markdown(result))
    return 0


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Bind this thread, and all processes that it starts in the block, to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def clients(folder: Path, rounds: int) -> dict[str, Any]:
    """The median response times of each round as both clients measure them, by the number of users."""
    os.environ["BENTOML_HOME"] = str(folder / "bentoml")
    env = {"MODEL": str(store.put(store.BUNDLED))}
    medians: dict[int, dict[str, list[float]]] = {users: {JMETER: [], BARE: []} for users in REQUESTS}
    with contextlib.ExitStack() as stack:
        with on_core(0):
            s3 = stack.enter_context(local_s3(folder / "s3", INPUT_BUCKET, OUTPUT_BUCKET))
            service = stack.enter_context(local_service(s3, port=free_port(), log=folder / "log", env=env))
        pictures.upload(s3.client(), INPUT_BUCKET, ("scenes",))
        for number in range(rounds + 1):
            for users, loops in REQUESTS.items():
                for name, ask in ((BARE, ask_bare), (JMETER, ask_by_jmeter)):
                    sys.stderr.write(f"round {number} of {rounds}: {users} users by {name}\n")
                    with on_core(1):
                        times = ask(service.url, users, loops, folder)
                    if number:
                        medians[users][name].append(statistics.median(times))
    return {
        str(users): {name: Samples(tuple(ms / 1000 for ms in values)).to_json() for name, values in found.items()}
        for users, found in medians.items()
    }


def ask_by_jmeter(url: str, users: int, loops: int, folder: Path) -> list[float]:
    """The response time of each request by JMeter with the plan of the load test, in milliseconds."""
    profile = load_profile("batches", changes=[f"users={users}", f"loops={loops}", "together=false"])
    table, _ = read_samples(run(Job(profile, parse_target(url), "ecs"), folder / "results") / SAMPLES)
    assert table["success"].all()
    return table["elapsed"].to_list()


def ask_bare(url: str, users: int, loops: int, _: Path) -> list[float]:
    """The response time of each request by threads that do nothing else, in milliseconds."""
    target = parse_target(url)
    keys = pictures.keys("scenes")

    def user(number: int) -> list[float]:
        times = []
        connection = http.client.HTTPConnection(target.host, target.port, timeout=60)
        for turn in range(loops):
            body = json.dumps({"filename": keys[(number + turn * users) % len(keys)]})
            start = time.perf_counter()
            connection.request("POST", target.path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            times.append((time.perf_counter() - start) * 1000)
            if answer.status != 200:
                raise RuntimeError(f"{url} responded with {answer.status}")
        connection.close()
        return times

    with ThreadPoolExecutor(users) as pool:
        return [ms for times in pool.map(user, range(users)) for ms in times]


def report(size: int, folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds and peak memory of a report on one run with `size` samples, including the start of Python."""
    write_run(size, folder / "run")
    command = [sys.executable, "-m", "loadtest", "report", str(folder / "run"), "--output", str(folder / "report.html")]
    seconds = []
    for number in range(min(rounds, 3)):
        sys.stderr.write(f"report of {size} samples, {number + 1}\n")
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        seconds.append(time.perf_counter() - start)
    # This is the peak of all child processes so far; the sizes rise, so it is the peak of this one.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {**Samples(tuple(seconds)).to_json(), "peak_bytes": peak, "bytes": (folder / "run" / SAMPLES).stat().st_size}


def write_run(size: int, folder: Path) -> None:
    """Write a run of the profile `steps` with `size` made-up samples."""
    folder.mkdir(parents=True)
    profile = load_profile("steps")
    record = Record(
        profile=profile, target=parse_target("http://127.0.0.1:3000"), platform="ecs", settings={},
        image="", commit="", machine="", jmeter="", java="", command="", started=1_790_000_000_000, status="finished",
    )  # fmt: skip
    record.write(folder)
    length_ms = (profile.length_s or 0) * 1000
    names = (
        "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,"
        "sentBytes,grpThreads,allThreads,URL,Latency,IdleTime,Connect,round,due,cold,instance,fetch,decode,detect,"
        "annotate,store,model,code,content"
    )
    with (folder / SAMPLES).open("w", newline="") as file:
        file.write(names + "\n")
        writer = csv.writer(file, lineterminator="\n")
        for number in range(size):
            elapsed = 200 + (number * 7919) % 900
            bad = number % 500 == 499
            details = (
                ["", "", "", "", "", "", ""] if bad else [f"i{number % 5}", 5.1, 9.8, elapsed - 60.5, 2.2, 9.0, "m:1"]
            )
            writer.writerow([
                1_790_000_003_000 + int(number * length_ms / size), elapsed, "scenes", "503" if bad else "200", "OK",
                f"users 1-{number % 18}", "text", str(not bad).lower(), "", 2100, 240, 18, 18,
                "http://127.0.0.1:3000/predict", elapsed - 1, 0, 0, number // 18, "null", str(number < 5).lower(),
                *details, "overloaded" if bad else "", "application/json",
            ])  # fmt: skip


def to_markdown(result: dict[str, Any]) -> str:
    """The page: a table of response times and a table of reports."""
    lines = [
        "# Overhead of the load test",
        "",
        f"{heading(result['about'])}; the clients take turns. The service with the bundled model and S3 run on one "
        "core, the client on the other.",
        "",
        "| median response time, ms | bare client | JMeter | JMeter adds |",
        "|---|---|---|---|",
    ]
    for users, found in result["clients"].items():
        added = found[JMETER]["median_ms"] - found[BARE]["median_ms"]
        share = added / found[BARE]["median_ms"]
        times = f"{spread(found[BARE])} | {spread(found[JMETER])} | {added:.1f} ms, {share:.1%}"
        lines.append(f"| {users} user{'s' * (users != '1')} | {times} |")
    lines += [
        "",
        "The bare client consists of Python threads that send the same requests and do nothing else.",
        "",
        "| report of one run, including Python's start | seconds | samples per second | peak memory, MB "
        "| samples.jtl, MB |",
        "|---|---|---|---|---|",
    ]
    for size, found in result["reports"].items():
        seconds = found["median_ms"] / 1000
        lines.append(
            f"| {int(size):,} samples | {seconds:.2f} | {int(size) / seconds:,.0f} | {found['peak_bytes'] / 1e6:.0f} "
            f"| {found['bytes'] / 1e6:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
