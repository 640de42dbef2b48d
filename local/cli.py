"""The command line of `make serve` and `make lambda`: start a real S3 server and a door, and send one request."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2

from detection.errors import UserError
from local.aws_lambda.cli import add_options
from local.aws_lambda.sandbox import Function
from local.aws_lambda.scaling import cpu_scaling
from local.checkout import ROOT
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, LocalService, local_lambda, local_service, post
from local.processes import check_port, interrupt_on_signals
from local.s3 import LocalS3, local_s3
from model_store import store
from scenes.render import HELD_OUT_SEEDS, render_scene
from serving.settings import model_asked_for

SAMPLES = {f"scene-{number}.jpg": HELD_OUT_SEEDS[seed] for number, seed in enumerate((42, 69, 53, 62), start=1)}


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted, or with --once until the first response; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop after the first response")
    parser.add_argument("--data", type=Path, default=ROOT / ".local", help="folder for the data of S3 and the logs")
    doors = parser.add_subparsers(required=True, metavar="serve|lambda")
    http = doors.add_parser("serve", help="start the service")
    http.add_argument("--port", type=int, default=3000, help="port of the service (PORT=)")
    http.set_defaults(run=_serve_http, name="serve")
    aws = doors.add_parser("lambda", help="start a local Lambda behind a local API Gateway")
    aws.add_argument("--port", type=int, default=3001, help="port of the gateway (PORT=)")
    add_options(aws)
    aws.set_defaults(run=_serve_lambda, name="lambda")
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    try:
        return _serve(options)
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped")
        return 0


def _serve(options: argparse.Namespace) -> int:
    data = options.data.resolve()
    check_port(options.port, f"stop what uses it, or choose another with make {options.name} PORT=...")
    print(f"model store: {store.put(store.BUNDLED)}")
    with local_s3(data / "s3", INPUT_BUCKET, OUTPUT_BUCKET) as s3:
        upload_samples(s3)
        lay_out(s3, OUTPUT_BUCKET)
        print(f"S3: SeaweedFS on {s3.endpoint}, pictures in {INPUT_BUCKET}: {', '.join(SAMPLES)}")
        with options.run(s3, data, options) as door:
            status = _show_one_request(door)
            if options.once:
                return status
            print("\nServing until Ctrl-C. To reach the buckets with S3 tools:")
            print("  export " + " ".join(f"{name}={value}" for name, value in s3.env.items()))
            sys.stdout.flush()
            signal.pause()
    return 0


@contextlib.contextmanager
def _serve_http(s3: LocalS3, data: Path, options: argparse.Namespace) -> Iterator[LocalService]:
    with local_service(s3, port=options.port, log=data / "service.log", env=_offered()) as service:
        print(f"service: {service.url} with model {model_asked_for(os.environ)}, log in {service.log}")
        _show_page(service)
        yield service


@contextlib.contextmanager
def _serve_lambda(s3: LocalS3, data: Path, options: argparse.Namespace) -> Iterator[LocalService]:
    passed = [f"--{name}={getattr(options, name)}" for name in ("memory", "timeout", "concurrency", "idle")]
    log = data / "lambda.log"
    image = options.image
    with local_lambda(s3, port=options.port, log=log, env=_offered(), image=image, options=passed) as door:
        _, scaling = cpu_scaling(Function("", ROOT, memory_mb=options.memory, image=options.image))
        what = f"image {options.image}" if options.image else f"model {model_asked_for(os.environ)}"
        print(f"local Lambda: {door.url} with {what}, logs in {data / 'lambda-sandboxes'}")
        print(f"  {options.memory} MB, timeout {options.timeout} s, at most {options.concurrency} sandboxes")
        print(f"  a stand-in on this machine, not AWS: {scaling}")
        print(f"  figures: {door.url}/metrics; any event: POST {door.url}/2015-03-31/functions/yolov7/invocations")
        _show_page(door)
        yield door


def _offered() -> dict[str, str]:
    """The setting that makes the page offer the samples, unless its user has chosen others."""
    return {} if "PAGE_SAMPLES" in os.environ else {"PAGE_SAMPLES": ",".join(SAMPLES)}


def _show_page(door: LocalService) -> None:
    if os.environ.get("PAGE", "on") == "on":
        print(f"page to try it in a browser: {door.url}/")
    print()


def _show_one_request(service: LocalService) -> int:
    if os.environ.get("API_KEYS"):
        print(f"{service.url}/predict needs a key of API_KEYS, so no request is shown")
        return 0
    body = json.dumps({"filename": next(iter(SAMPLES))})
    print(f"$ curl {service.url}/predict -H 'Content-Type: application/json' -d '{body}'")
    status, answer = post(f"{service.url}/predict", body.encode())
    print(answer.decode())
    if status != 200:
        print(f"error: the response has status {status}; the log is {service.log}", file=sys.stderr)
        return 1
    location = json.loads(answer)["location"]
    print(f"\nThe annotated picture, for an hour:\n{location}")
    with urllib.request.urlopen(location, timeout=10) as picture:
        copy = service.log.parent / "annotated.jpg"
        copy.write_bytes(picture.read())
    print(f"A copy: {copy}")
    return 0


def upload_samples(s3: LocalS3) -> None:
    """Upload the missing sample scenes to the input bucket."""
    client = s3.client()
    present = {entry["Key"] for entry in client.list_objects_v2(Bucket=INPUT_BUCKET).get("Contents", [])}
    for name, seed in SAMPLES.items():
        if name not in present:
            _, data = cv2.imencode(".jpg", render_scene(seed, 640).image, [cv2.IMWRITE_JPEG_QUALITY, 92])
            client.put_object(Bucket=INPUT_BUCKET, Key=name, Body=data.tobytes(), ContentType="image/jpeg")


def lay_out(s3: LocalS3, bucket: str) -> None:
    """Have SeaweedFS lay out an empty bucket's volumes, which takes 0.4 s: the request shown does not wait for it."""
    client = s3.client()
    if not client.list_objects_v2(Bucket=bucket, MaxKeys=1).get("Contents"):
        client.put_object(Bucket=bucket, Key="first", Body=b"first")
        client.delete_object(Bucket=bucket, Key="first")
