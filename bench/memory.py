"""`python -m bench.memory`: peak memory of a request by picture format, for nearly the largest accepted picture.

Each format is measured in a separate process, with a storage in memory and an engine that returns at once.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from detection.card import ModelCard
from detection.detector import Detector
from detection.types import Floats, Picture
from local.checkout import ROOT, commit, machine
from serving.bounds import Deadline, return_freed_memory
from serving.contract import Call, PredictRequest
from serving.predictor import Predictor
from serving.settings import Settings
from serving.storage import Fetched

HERE = Path(__file__).parent
SIDE = 7000  # pixels; 49 megapixels, where the default limit is 50
TOGETHER = 8  # simultaneous requests, as many as the service has threads

CARD = ModelCard(
    name="none",
    version="1",
    variant="yolov7-tiny",
    labels=("a",),
    anchors=(((32.0, 32.0),),),
    strides=(32,),
    input_size=640,
    precision="fp32",
    source="a benchmark",
    licence="Apache-2.0",
)


class NoEngine:
    """Finds nothing."""

    @contextmanager
    def infer(self, picture: Picture) -> Iterator[list[Floats]]:
        yield [np.full((6, picture.shape[0] // 32, picture.shape[1] // 32), -20, np.float32)]


class OnePicture:
    """A storage with one picture, which discards the results."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def fetch(self, key: str, deadline: Deadline, version_id: str | None = None) -> Fetched:
        return Fetched(self.data, "1")

    def store(self, key: str, data: bytes, deadline: Deadline) -> str:
        return key

    def reconnect(self) -> None:
        """There is no connection to renew."""


def _pillow(mode: str, kind: str, **options: object) -> Callable[[], bytes]:
    def make() -> bytes:
        buffer = io.BytesIO()
        Image.new(mode, (SIDE, SIDE)).save(buffer, kind, **options)
        return buffer.getvalue()

    return make


FORMATS: dict[str, Callable[[], bytes]] = {
    "JPEG": _pillow("RGB", "JPEG"),
    "JPEG, progressive, 4:4:4": _pillow("RGB", "JPEG", progressive=True, subsampling=0),
    "TIFF, 16 bits": lambda: cv2.imencode(".tiff", np.zeros((SIDE, SIDE, 3), np.uint16))[1].tobytes(),
    "GIF, transparent": _pillow("P", "GIF", transparency=0),
    "PNG, transparent": _pillow("RGBA", "PNG", compress_level=1),
    "WebP, transparent": _pillow("RGBA", "WEBP", lossless=True, method=0),
}


def peak_mb() -> float:
    """The peak memory of this process since the last call; Linux only."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    Path("/proc/self/clear_refs").write_text("5")
    return int(line.split()[1]) * 1024 / 1e6


def measure(name: str) -> tuple[float, float]:
    """The peak of one request, and of `TOGETHER` simultaneous requests, beyond an idle process, in MB."""
    return_freed_memory()
    settings = Settings(input_bucket="bench", output_bucket="bench")
    ours = Predictor(settings, Detector(CARD, NoEngine()), OnePicture(FORMATS[name]()))
    call = Call(PredictRequest(filename="large"))
    ours.warm_up()
    peak_mb()
    idle = peak_mb()
    ours.predict(call, Deadline(600))
    one = peak_mb() - idle
    threads = [threading.Thread(target=ours.predict, args=(call, Deadline(600))) for _ in range(TOGETHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return one, peak_mb() - idle


def main(arguments: list[str] | None = None) -> int:
    """Measure every format and write memory.md, or print the peaks of one format; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument(
        "format", nargs="?", choices=FORMATS, metavar="FORMAT", help="print the peaks of one format, in MB"
    )
    parser.add_argument("--output", type=Path, default=HERE, help="folder of memory.md")
    options = parser.parse_args(arguments)
    if options.format:
        sys.stdout.write(json.dumps(measure(options.format)) + "\n")
        return 0
    peaks: dict[str, tuple[float, float]] = {}
    for name in FORMATS:
        command = [sys.executable, "-m", "bench.memory", name]
        one, together = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
        peaks[name] = (one, together)
    page = to_markdown(peaks, f"{machine()}, {date.today()}, commit {commit()}, `python -m bench.memory`")
    (options.output / "memory.md").write_text(page)
    sys.stdout.write(page)
    return 0


def to_markdown(peaks: Mapping[str, tuple[float, float]], measured: str) -> str:
    """The page: a row of peaks per format in MB, of one request and of `TOGETHER`; `measured` says where and how."""
    lines = [
        "# Memory of a request",
        "",
        f"Peak memory of whole requests beyond that of an idle process, for pictures of {SIDE} x {SIDE} pixels, "
        f"without S3 and the network. {measured}.",
        "",
        f"| format | one request, MB | bytes per pixel | {TOGETHER} simultaneous requests, MB |",
        "|---|---|---|---|",
        *(
            f"| {name} | {one:.0f} | {one * 1e6 / SIDE**2:.0f} | {together:.0f} |"
            for name, (one, together) in peaks.items()
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
