"""`python -m model_store`: list, show, add, evaluate, verify and remove models in BentoML's model store."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from detection.card import read_card
from detection.detector import Detector
from detection.errors import UserError
from detection.openvino import OpenVINOEngine
from model_store import download, store
from model_store.errors import ArgumentError, MissingTool


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

    listing = commands.add_parser("list", help="the stored models, newest first")
    listing.set_defaults(run=_list)

    show = commands.add_parser("show", help="all that is known of a stored model, as JSON")
    show.add_argument("name", help="name, or name:version")
    show.set_defaults(run=_show)

    for verb, run, text in (
        ("verify", _verify, "compute a stored model's digests again and compare them"),
        ("remove", _remove, "delete one version of a model from the store"),
    ):
        command = commands.add_parser(verb, help=text)
        command.add_argument("name", help="name:version" if verb == "remove" else "name, or name:version")
        command.set_defaults(run=run)

    judge = commands.add_parser("evaluate", help="COCO mAP, per label, and speed on annotated pictures")
    judge.add_argument("name", help="name, or name:version")
    judge.add_argument("--coco", type=Path, required=True, metavar="FILE", help="COCO annotations")
    judge.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="the pictures they are of")
    judge.set_defaults(run=_evaluate)

    add = commands.add_parser("add", help="put a model into the store")
    add.add_argument("name", help="an official release, bundled (the project's own), or a new name")
    source = add.add_mutually_exclusive_group()
    source.add_argument("--random", action="store_true", help="random weights for the variant NAME, for benchmarks")
    source.add_argument("--weights", help="a checkpoint of any YOLOv7, stored as NAME: a file or s3://bucket/key")
    add.add_argument("--precision", choices=("fp16", "fp32", "int8"), default="fp16", help="of the stored weights")
    add.add_argument("--calibrate", type=Path, metavar="FOLDER", help="pictures to calibrate int8 with")
    add.add_argument("--coco", type=Path, metavar="FILE", help="COCO annotations of these pictures, to judge int8 by")
    add.add_argument("--input-size", type=int, help="long side of the network's input, pixels")
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
    if options.name == "bundled":
        print(f"stored {store.put(store.BUNDLED)}")
        return
    if (options.precision == "int8") != (options.calibrate is not None):
        raise ArgumentError(
            "--precision int8 and --calibrate FOLDER go together: int8 needs pictures like those to come"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _convert(options, folder)
        if options.calibrate:
            _quantise(options, folder)
        print(f"stored {store.put(folder)}")


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
    """Write the model folder that the options ask for: of random weights, of a file, or of an official release."""
    try:
        from model_store import convert
        from model_store.network.variants import VARIANTS
    except ModuleNotFoundError as exc:
        raise MissingTool(
            f"converting needs {exc.name}, which serving does not: make convert-tools installs it"
        ) from None
    precision = "fp16" if options.precision == "int8" else options.precision
    if options.random:
        if options.name not in VARIANTS:
            raise ArgumentError(f"no YOLOv7 variant {options.name!r}; known: {', '.join(VARIANTS)}")
        convert.from_random(options.name, folder, precision=precision)
        return
    weights, facts = _weights(options, folder)
    size = options.input_size or facts.pop("input_size", None)
    convert.from_checkpoint(weights, folder, name=options.name, precision=precision, input_size=size, **facts)


def _weights(options: argparse.Namespace, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The checkpoint's file, downloaded if need be, and what is known of it from elsewhere."""
    if options.weights and options.weights.startswith("s3://"):
        return download.fetch_s3(options.weights, folder), {"source": options.weights}
    if options.weights:
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
