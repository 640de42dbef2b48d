"""What `python -m model_store add` makes a model from: its options, judged and carried out."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from detection.card import RANDOM_SUFFIX
from model_store import download, store
from model_store.calibration import check_source
from model_store.errors import ArgumentError

# The largest published size is 1280; at four times that, a picture takes 16 times the memory.
INPUT_SIZES = range(32, 4 * 1280 + 1, 32)


def check(options: argparse.Namespace) -> None:
    """Raise ArgumentError for arguments that are wrong, or do not fit together, before any work."""
    others = options.random or options.precision not in (None, "int8")
    if options.name == "bundled" and (others or options.weights is not None or options.input_size is not None):
        raise ArgumentError(
            "bundled is the project's own model, as it is or calibrated anew: give another name, or only --calibrate"
        )
    store.check_name(options.name)
    if options.name.endswith(RANDOM_SUFFIX):
        raise ArgumentError(f"{options.name} ends with {RANDOM_SUFFIX}, which marks random weights: give another name")
    if options.precision == "int8" and options.calibrate is None:
        raise ArgumentError(
            "--precision int8 needs --calibrate: a folder of pictures like yours, or s3://bucket/prefix"
        )
    if options.precision not in (None, "int8") and options.calibrate is not None:
        raise ArgumentError(f"--calibrate makes int8, not {options.precision}: leave one of them out")
    if options.coco and options.calibrate is None:
        raise ArgumentError("--coco FILE judges int8: give --calibrate FOLDER with it")
    if options.calibrate is not None:
        check_source(options.calibrate, options.coco)
    size = options.input_size
    if size is not None and (options.random or size not in INPUT_SIZES):
        raise ArgumentError(
            f"--input-size {size} is not possible: it is a multiple of {INPUT_SIZES.step} from {INPUT_SIZES.start} to "
            f"{INPUT_SIZES.stop - 1}, and goes with weights that are not random"
        )
    if options.weights is not None and not re.fullmatch(r"s3://[^/]+/.+|(?!s3://).+", options.weights, re.DOTALL):
        raise ArgumentError(f"--weights {options.weights!r} is neither a file nor s3://bucket/key")


def convert_to(options: argparse.Namespace, folder: Path) -> None:
    """Write the model folder that the options ask for, from random weights, a file, or an official release."""
    from model_store import convert
    from model_store.network.variants import VARIANTS

    precision = options.precision if options.precision in ("fp16", "fp32") else "fp16"
    if options.random:
        if options.name not in VARIANTS:
            raise ArgumentError(f"no YOLOv7 variant {options.name!r}; known: {', '.join(VARIANTS)}")
        convert.from_random(options.name, folder, precision=precision)
        return
    weights, facts = _weights(options, folder)
    if options.input_size is not None:
        facts["input_size"] = options.input_size
    convert.from_checkpoint(weights, folder, name=options.name, precision=precision, **facts)


def _weights(options: argparse.Namespace, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The checkpoint's file, downloaded if necessary, and the facts that the file does not hold."""
    if options.weights is not None and options.weights.startswith("s3://"):
        return download.fetch_s3(options.weights, folder), {"source": options.weights}
    if options.weights is not None:
        return Path(options.weights), {}
    releases = download.catalogue()
    if options.name not in releases:
        raise ArgumentError(
            f"nothing to make {options.name!r} from: give --weights FILE, or a name from the catalogue: "
            f"bundled, {', '.join(releases)}"
        )
    release = releases[options.name]
    file = download.fetch(options.name, release, store.downloads(), download.ProgressBar(options.name))
    licence = f"{release.licence} (the weights' project)"
    return file, {"source": release.url, "licence": licence, "input_size": release.input_size}
