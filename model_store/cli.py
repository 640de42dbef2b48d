"""`python -m model_store`: list, show, add, evaluate, verify and remove models in BentoML's model store."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from detection.card import RANDOM_SUFFIX, read_card
from detection.detector import Detector
from detection.errors import UserError
from detection.openvino import OpenVINOEngine
from model_store import download, store
from model_store.errors import ArgumentError, MissingTool

# The largest published size is 1280; at four times that, a picture takes 16 times the memory.
INPUT_SIZES = range(32, 4 * 1280 + 1, 32)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status, 1 with one line on standard error when it fails."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model_store", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    listing = commands.add_parser("list", help="list the stored models, newest first")
    listing.set_defaults(run=_list)

    show = commands.add_parser("show", help="print the card of a stored model, as JSON")
    show.add_argument("name", help="name, or name:version")
    show.set_defaults(run=_show)

    for verb, run, text in (
        ("verify", _verify, "compute a stored model's digests again and compare them"),
        ("remove", _remove, "delete one version of a model from the store"),
    ):
        command = commands.add_parser(verb, help=text)
        command.add_argument("name", help="name:version" if verb == "remove" else "name, or name:version")
        command.set_defaults(run=run)

    judge = commands.add_parser("evaluate", help="measure COCO mAP, per label, and speed on annotated pictures")
    judge.add_argument("name", help="name, or name:version")
    judge.add_argument("--coco", type=Path, required=True, metavar="FILE", help="file of COCO annotations")
    judge.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="folder of the annotated pictures")
    judge.set_defaults(run=_evaluate)

    add = commands.add_parser("add", help="convert a model and put it into the store")
    add.add_argument("name", help="name of an official release, or bundled (the project's own model), or a new name")
    source = add.add_mutually_exclusive_group()
    source.add_argument("--random", action="store_true", help="random weights for the variant NAME, for benchmarks")
    source.add_argument("--weights", help="checkpoint of any YOLOv7 to store as NAME: a file or s3://bucket/key")
    add.add_argument(
        "--precision",
        choices=("fp16", "fp32", "int8"),
        default="fp16",
        help="precision of the stored weights (default: fp16)",
    )
    add.add_argument("--calibrate", type=Path, metavar="FOLDER", help="folder of pictures to calibrate int8 with")
    add.add_argument("--coco", type=Path, metavar="FILE", help="COCO annotations of these pictures, to judge int8 by")
    add.add_argument(
        "--input-size",
        type=int,
        help="long side of the network's input, in pixels",
    )
    add.set_defaults(run=_add)
    return parser


def _list(_: argparse.Namespace) -> None:
    rows = [("MODEL", "VARIANT", "INPUT", "PRECISION", "LABELS", "RANDOM")]
    for card in store.cards():
        tag, marked = f"{card.name}:{card.version}", "yes" if card.random else "no"
        rows.append((tag, card.variant, str(card.input_size), card.precision, str(len(card.labels)), marked))
    if len(rows) == 1:
        print("no models yet: python -m model_store add bundled", file=sys.stderr)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _show(options: argparse.Namespace) -> None:
    print(read_card(store.find(options.name)).model_dump_json(indent=2))


def _verify(options: argparse.Namespace) -> None:
    print(f"{store.verify(options.name)} is as it was stored")


def _remove(options: argparse.Namespace) -> None:
    print(f"removed {store.remove(options.name)}")


def _add(options: argparse.Namespace) -> None:
    _judge(options)
    if options.name == "bundled":
        print(f"stored {store.put(store.BUNDLED)}")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _convert(options, folder)
        if options.calibrate:
            _quantise(options, folder)
        for label, count in Counter(read_card(folder).labels).items():
            if count > 1:
                print(f"note: {count} classes have the label {label!r}; a request for it finds all", file=sys.stderr)
        print(f"stored {store.put(folder)}")


def _judge(options: argparse.Namespace) -> None:
    """Raise ArgumentError for arguments that are wrong, or do not fit together, before any work."""
    others = options.random or options.calibrate or options.coco or options.precision != "fp16"
    if options.name == "bundled" and (others or options.weights is not None or options.input_size is not None):
        raise ArgumentError("bundled is the project's own model, stored as it is: give another name, or no options")
    store.check_name(options.name)
    if options.name.endswith(RANDOM_SUFFIX):
        raise ArgumentError(f"{options.name} ends with {RANDOM_SUFFIX}, which marks random weights: give another name")
    if (options.precision == "int8") != (options.calibrate is not None):
        raise ArgumentError(
            "--precision int8 and --calibrate FOLDER go together: int8 is calibrated with pictures like yours"
        )
    if options.coco and not options.calibrate:
        raise ArgumentError("--coco FILE judges int8: give --precision int8 and --calibrate FOLDER with it")
    size = options.input_size
    if size is not None and (options.random or size not in INPUT_SIZES):
        raise ArgumentError(
            f"--input-size {size} is not possible: it is a multiple of {INPUT_SIZES.step} from {INPUT_SIZES.start} to "
            f"{INPUT_SIZES.stop - 1}, and goes with weights that are not random"
        )
    if options.weights is not None and not re.fullmatch(r"s3://[^/]+/.+|(?!s3://).+", options.weights, re.DOTALL):
        raise ArgumentError(f"--weights {options.weights!r} is neither a file nor s3://bucket/key")


def _quantise(options: argparse.Namespace, folder: Path) -> None:
    from model_store.quantise import quantise

    result = quantise(folder, options.calibrate, options.coco).evaluation
    assert result is not None
    print(f"int8, calibrated on {result['calibrated_on']} pictures, judged by {result['measure']}:")
    for moment in ("before", "after"):
        if result[moment]:
            print(f"{moment:>7}: mAP@.5 {result[moment]['map50']:.4f}, mAP@.5:.95 {result[moment]['map50_95']:.4f}")


def _evaluate(options: argparse.Namespace) -> None:
    from model_store.evaluate import evaluate

    folder = store.find(options.name)
    card = read_card(folder)
    result = evaluate(Detector(card, OpenVINOEngine(folder)), options.coco, options.images)
    store.record_evaluation(options.name, {"annotations": options.coco.name, **result.to_json()})
    for label, value in sorted(result.precision.per_label.items(), key=lambda item: -item[1]):
        print(f"{label:24} {value:.3f}")
    print(
        f"{card.name}:{card.version} on {result.pictures} pictures: mAP@.5 {result.precision.map50:.4f}, "
        f"mAP@.5:.95 {result.precision.map50_95:.4f}, detect {result.median_ms:.1f} ms (median)"
    )


def _convert(options: argparse.Namespace, folder: Path) -> None:
    """Write the model folder that the options ask for, from random weights, a file, or an official release."""
    try:
        from model_store import convert
        from model_store.network.variants import VARIANTS
    except ModuleNotFoundError as exc:
        raise MissingTool(
            f"converting needs {exc.name}, which serving does not: make convert-tools installs it"
        ) from None
    if options.calibrate:
        from model_store.evaluate import read_annotations
        from model_store.quantise import calibration_files

        calibration_files(options.calibrate)
        if options.coco:
            read_annotations(options.coco)
    precision = "fp16" if options.precision == "int8" else options.precision
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
