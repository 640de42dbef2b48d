"""The pictures that int8 is calibrated with: a folder, a sample of an S3 bucket, or rendered scenes."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_store.errors import ArgumentError, PicturesError
from scenes.render import LABELS, TRAIN_SEEDS, write_coco

SCENES = "scenes"
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
FEWEST, MOST = 8, 300
"""With fewer pictures than FEWEST, the ranges of activations are guesses; with more than MOST, they hardly change."""


@dataclass(frozen=True)
class Calibration:
    """A folder of pictures, the file of their COCO annotations if there is one, and a line about a sample."""

    folder: Path
    annotations: Path | None = None
    note: str = ""


def check_source(source: str, annotations: Path | None) -> None:
    """Raise ArgumentError for a source of pictures that cannot be one, before any work."""
    if annotations is not None and (source == SCENES or source.startswith("s3://")):
        raise ArgumentError(f"--coco FILE is about the pictures of a folder, not of --calibrate {source}: leave it out")
    if source.startswith("s3://") and not re.fullmatch(r"s3://[^/]+(/.*)?", source, re.DOTALL):
        raise ArgumentError(f"--calibrate {source!r} names no bucket: give s3://bucket/prefix")


@contextmanager
def gathered(source: str, annotations: Path | None = None) -> Iterator[Calibration]:
    """The pictures of a source: a folder as it is, a sample or scenes in a temporary folder.

    `annotations` goes with a folder. Raises PicturesError for too few pictures, DownloadError when S3 does not answer.
    """
    if source != SCENES and not source.startswith("s3://"):
        calibration_files(Path(source))
        if annotations is not None:
            from model_store.evaluate import read_annotations

            read_annotations(annotations)
        yield Calibration(Path(source), annotations)
        return
    with tempfile.TemporaryDirectory() as name:
        if source == SCENES:
            yield Calibration(Path(name), write_coco(Path(name), TRAIN_SEEDS[:MOST]))
            return
        from model_store.sample import sample

        yield Calibration(Path(name), note=str(sample(source, Path(name))))


def check_labels(source: str, name: str, labels: Sequence[str]) -> None:
    """Raise PicturesError when scenes are to calibrate a model that finds other things."""
    if source == SCENES and tuple(labels) != tuple(LABELS):
        raise PicturesError(
            f"scenes show {', '.join(LABELS)}, and {name} has other labels: calibrate with a folder or s3://bucket/prefix"
        )


def calibration_files(folder: Path) -> list[Path]:
    """The pictures of a folder to calibrate with, in order of name; at most MOST, spread evenly over all."""
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    check_enough(len(files), str(folder))
    return [files[i] for i in spread_evenly(len(files), MOST)]


def check_enough(count: int, place: str) -> None:
    """Raise PicturesError when a place holds too few pictures."""
    if count < FEWEST:
        raise PicturesError(f"{place} holds {count} pictures; calibration needs at least {FEWEST}, better {MOST}")


def spread_evenly(count: int, most: int) -> list[int]:
    """At most `most` of the numbers from 0 to `count` - 1, at even distances."""
    return [int(place) for place in np.linspace(0, count - 1, min(most, count)).round()]
