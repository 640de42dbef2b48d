"""`make serve`: a real S3 server, the service, and one request, on this machine."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import cv2

from detection.settings import Settings
from loadtest.local.processes import StartError, check_port, running, wait_until_ready
from loadtest.local.s3 import LocalS3, local_s3
from model_store import store
from model_store.__main__ import BUNDLED
from model_store.training.scenes import HELD_OUT_SEEDS, render_scene

ROOT = Path(__file__).parents[2]
INPUT_BUCKET = "yolov7-pictures"
OUTPUT_BUCKET = "yolov7-results"
SAMPLES = {f"scene-{number}.jpg": HELD_OUT_SEEDS[seed] for number, seed in enumerate((42, 69, 53, 62), start=1)}


@dataclass(frozen=True)
class LocalService:
    """A running `bentoml serve` and what it reads from."""

    url: str
    s3: LocalS3
    process_id: int
    log: Path


@contextlib.contextmanager
def local_service(s3: LocalS3, *, port: int, log: Path, env: dict[str, str] | None = None) -> Iterator[LocalService]:
    """Run the service against a local S3 server until the block is left; `env` adds to its environment."""
    bentoml = str(Path(sysconfig.get_path("scripts")) / "bentoml")
    command = [bentoml, "serve", "service:YOLOv7", "--port", str(port)]
    buckets = {"INPUT_BUCKET": INPUT_BUCKET, "OUTPUT_BUCKET": OUTPUT_BUCKET}
    environment = os.environ | {"BENTOML_DO_NOT_TRACK": "True"} | s3.env | buckets | (env or {})
    url = f"http://127.0.0.1:{port}"
    with running(command, env=environment, log=log, cwd=ROOT) as process:
        wait_until_ready(process, f"{url}/readyz", name="bentoml serve", log=log, timeout_s=120)
        yield LocalService(url, s3, process.pid, log)


def upload_samples(s3: LocalS3) -> None:
    """Put a few rendered scenes into the input bucket, unless they are there."""
    client = s3.client()
    present = {entry["Key"] for entry in client.list_objects_v2(Bucket=INPUT_BUCKET).get("Contents", [])}
    for name, seed in SAMPLES.items():
        if name not in present:
            _, data = cv2.imencode(".jpg", render_scene(seed, 640).image, [cv2.IMWRITE_JPEG_QUALITY, 92])
            client.put_object(Bucket=INPUT_BUCKET, Key=name, Body=data.tobytes(), ContentType="image/jpeg")


def post(url: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """POST a JSON body; the status and the body of the answer, whatever the status."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read()


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted, or with --once until the first answer; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make serve", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop after the first answer")
    parser.add_argument("--port", type=int, default=3000, help="of the service (PORT=)")
    parser.add_argument("--data", type=Path, default=ROOT / ".local", help="folder of S3's data and the logs")
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _serve(options.data.resolve(), options.port, once=options.once)
    except StartError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped")
        return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _serve(data: Path, port: int, *, once: bool) -> int:
    check_port(port, "stop what uses it, or choose another with make serve PORT=...")
    model = os.environ.get("MODEL") or Settings.model_fields["model"].default
    print(f"model store: {store.put(BUNDLED)}")
    with local_s3(data / "s3", INPUT_BUCKET, OUTPUT_BUCKET) as s3:
        upload_samples(s3)
        print(f"S3: SeaweedFS on {s3.endpoint}, pictures in {INPUT_BUCKET}: {', '.join(SAMPLES)}")
        log = data / "service.log"
        with local_service(s3, port=port, log=log) as service:
            print(f"service: {service.url} with model {model}, log in {log}\n")
            status = _show_one_request(service)
            if once:
                return status
            print("\nServing until Ctrl-C. What S3 tools need to reach the buckets:")
            print("  export " + " ".join(f"{name}={value}" for name, value in s3.env.items()))
            sys.stdout.flush()
            signal.pause()
    return 0


def _show_one_request(service: LocalService) -> int:
    body = json.dumps({"filename": next(iter(SAMPLES))})
    print(f"$ curl {service.url}/predict -H 'Content-Type: application/json' -d '{body}'")
    status, answer = post(f"{service.url}/predict", body.encode())
    print(answer.decode())
    if status != 200:
        print(f"error: the service answered {status}; its log is {service.log}", file=sys.stderr)
        return 1
    location = json.loads(answer)["location"]
    print(f"\nThe annotated picture lies, for an hour, at\n{location}")
    with urllib.request.urlopen(location, timeout=10) as picture:
        copy = service.log.parent / "annotated.jpg"
        copy.write_bytes(picture.read())
    print(f"A copy: {copy}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
