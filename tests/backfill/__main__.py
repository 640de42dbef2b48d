"""`python -m tests.backfill`: send many pictures to a real service with a real S3, and kill the backfill on the way.

Prints what the service was asked for and what the results have; exits with 1 if a picture is missing or twice.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from local.checkout import ROOT, commit, machine
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, local_service
from local.processes import free_port
from local.s3 import LocalS3, local_s3
from model_store import store
from scenes.render import HELD_OUT_SEEDS, render_scene

KINDS, SIDE = 20, 160
IN_FLIGHT = 4


def main() -> int:
    """Run the trial; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.backfill", description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--kill-at", type=float, default=0.3, help="share of the pictures after which it is killed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BENTOML_HOME"] = str(folder / "bentoml")
        env = {"MODEL": str(store.put(store.BUNDLED))}
        with (
            local_s3(folder / "s3", INPUT_BUCKET, OUTPUT_BUCKET) as s3,
            local_service(s3, port=free_port(), log=folder / "log", env=env) as service,
        ):
            upload(s3, options.pictures)
            return try_out(s3, service.url, folder / "results", options.pictures, options.kill_at)


def upload(s3: LocalS3, count: int) -> None:
    """Put small pictures of a few kinds under different keys."""
    client = s3.client()
    scenes = [render_scene(seed, SIDE).image for seed in HELD_OUT_SEEDS[:KINDS]]
    files = [cv2.imencode(".jpg", scene)[1].tobytes() for scene in scenes]

    def put(number: int) -> None:
        key = f"2024/{number % 100:02}/picture {number:06}.jpg"
        client.put_object(Bucket=INPUT_BUCKET, Key=key, Body=files[number % KINDS])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(count)))


def try_out(s3: LocalS3, url: str, folder: Path, count: int, kill_at: float) -> int:
    """Start, kill, start again, and compare; returns the exit status."""
    command = [sys.executable, "-m", "backfill", f"s3://{INPUT_BUCKET}/2024/", "--url", url, "--results", str(folder)]
    env, start = os.environ | s3.env, time.monotonic()
    first = subprocess.Popen(command, cwd=ROOT, env=env)
    while asked(url) < count * kill_at and first.poll() is None:
        time.sleep(0.2)
    first.send_signal(signal.SIGKILL)
    first.wait()
    time.sleep(2)  # The service finishes what it was asked.
    before = asked(url)
    print(f"killed after {before} requests in {time.monotonic() - start:.0f} s", flush=True)
    status = subprocess.run(command, cwd=ROOT, env=env).returncode
    seconds, requests = time.monotonic() - start, asked(url)
    keys = [json.loads(line)["key"] for line in (folder / "results.jsonl").open()]
    stored = sum(
        len(page.get("Contents", []))
        for page in s3.client().get_paginator("list_objects_v2").paginate(Bucket=OUTPUT_BUCKET)
    )
    print(f"{machine()}, commit {commit()}: {count} pictures, {requests} requests, {requests - count} repeated,")
    print(f"{len(keys)} lines with {len(set(keys))} keys, {stored} results in S3, {count / seconds:.1f} pictures/s")
    right = len(keys) == len(set(keys)) == stored == count and 0 <= requests - count <= IN_FLIGHT
    return 0 if right and status == 0 else 1


def asked(url: str) -> int:
    """The number of requests that the service has answered."""
    with urllib.request.urlopen(f"{url}/metrics") as page:
        found = re.findall(r"yolov7_requests_total\{[^}]*predict[^}]*\} ([\d.e+]+)", page.read().decode())
    return round(sum(map(float, found)))


if __name__ == "__main__":
    sys.exit(main())
