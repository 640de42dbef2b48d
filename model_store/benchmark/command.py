"""`python -m model_store bench`."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from detection.card import read_card
from model_store import store
from model_store.benchmark.compare import compare
from model_store.benchmark.pictures import from_folder, from_scenes
from model_store.benchmark.text import to_text
from model_store.calibration import calibration_files, check_labels, check_source, gathered
from model_store.errors import ArgumentError

MOST_SECONDS = 600


def bench(options: argparse.Namespace) -> str:
    """The table of a stored model; raises ModelStoreError."""
    stored = store.find(options.name)
    card = read_card(stored)
    _check(options, card.precision)
    kind = "int8" if card.precision == "int8" else "float"
    folders = {kind: stored}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if options.images is None:
            source = from_scenes(folder / "scenes", card.labels)
        else:
            source = from_folder(options.images, options.coco, card.labels)
        if options.calibrate is not None:
            from model_store.quantise import to_int8

            check_labels(options.calibrate, options.name, card.labels)
            calibration = stack.enter_context(gathered(options.calibrate))
            folders["int8"] = shutil.copytree(stored, folder / "int8")
            to_int8(folders["int8"], calibration_files(calibration.folder))
        return to_text(compare(folders, source, options.seconds), f"{card.name}:{card.version}")


def _check(options: argparse.Namespace, precision: str) -> None:
    """Raise ArgumentError for options that are wrong, or do not fit together, before any work."""
    if options.coco is not None and options.images is None:
        raise ArgumentError("--coco FILE is about the pictures of a folder: give --images FOLDER with it")
    if not 0 < options.seconds <= MOST_SECONDS:
        raise ArgumentError(f"--seconds {options.seconds:g} is not possible: more than 0, at most {MOST_SECONDS}")
    if options.calibrate is not None:
        if precision == "int8":
            raise ArgumentError(f"{options.name} is int8 already: leave --calibrate out")
        check_source(options.calibrate, None)
