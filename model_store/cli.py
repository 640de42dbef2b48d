"""`python -m model_store`: list, show, add, evaluate, bench, verify and remove models in BentoML's model store."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from detection.card import read_card
from detection.detector import Detector
from detection.errors import UserError
from detection.openvino import OpenVINOEngine
from model_store import add, store
from model_store.calibration import SCENES, Calibration, check_labels, gathered
from model_store.errors import MissingTool
from model_store.table import aligned


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status, 1 with one line on standard error when it fails."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except ModuleNotFoundError as exc:
        missing = MissingTool(f"this needs {exc.name}, which serving does not: make convert-tools installs it")
        print(f"error: {missing}", file=sys.stderr)
        return 1
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

    _add_options(commands.add_parser("add", help="convert a model and put it into the store"))
    _bench_options(commands.add_parser("bench", help="compare a model's precisions and instruction sets"))
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="name of an official release, or bundled (the project's own model), or a new name")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--random", action="store_true", help="random weights for the variant NAME, for benchmarks")
    source.add_argument("--weights", help="checkpoint of any YOLOv7 to store as NAME: a file or s3://bucket/key")
    parser.add_argument(
        "--precision",
        choices=("fp16", "fp32", "int8"),
        help="precision of the stored weights (default: int8 with --calibrate, else fp16)",
    )
    _calibrate_option(parser)
    parser.add_argument("--coco", type=Path, metavar="FILE", help="COCO annotations of the folder, to judge int8 by")
    parser.add_argument("--input-size", type=int, help="long side of the network's input, in pixels")
    parser.set_defaults(run=_add)


def _bench_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="name, or name:version")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="folder of pictures (default: rendered scenes)")
    parser.add_argument("--coco", type=Path, metavar="FILE", help="COCO annotations of these pictures")
    _calibrate_option(parser)
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="seconds to time each row, and as many to judge it (default: 3)"
    )
    parser.set_defaults(run=_bench)


def _calibrate_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibrate",
        metavar="PICTURES",
        help=f"make int8, calibrated with a folder, a sample of s3://bucket/prefix, or {SCENES} (rendered)",
    )


def _list(_: argparse.Namespace) -> None:
    rows = [("MODEL", "VARIANT", "INPUT", "PRECISION", "LABELS", "RANDOM")]
    for card in store.cards():
        tag, marked = f"{card.name}:{card.version}", "yes" if card.random else "no"
        rows.append((tag, card.variant, str(card.input_size), card.precision, str(len(card.labels)), marked))
    if len(rows) == 1:
        print("no models yet: python -m model_store add bundled", file=sys.stderr)
    print(aligned(rows))


def _show(options: argparse.Namespace) -> None:
    print(read_card(store.find(options.name)).model_dump_json(indent=2))


def _verify(options: argparse.Namespace) -> None:
    print(f"{store.verify(options.name)} is as it was stored")


def _remove(options: argparse.Namespace) -> None:
    print(f"removed {store.remove(options.name)}")


def _add(options: argparse.Namespace) -> None:
    add.check(options)
    if options.name == "bundled" and options.calibrate is None:
        print(f"stored {store.put(store.BUNDLED)}")
        return
    from model_store import convert  # noqa: F401  # A missing tool shows before anything is downloaded.

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        calibration = stack.enter_context(gathered(options.calibrate, options.coco)) if options.calibrate else None
        if options.name == "bundled":
            store.copy_model(store.TRAINED, folder)
        else:
            add.convert_to(options, folder)
        if calibration:
            check_labels(options.calibrate, options.name, read_card(folder).labels)
            _quantise(calibration, folder)
        for label, count in Counter(read_card(folder).labels).items():
            if count > 1:
                print(f"note: {count} classes have the label {label!r}; a request for it finds all", file=sys.stderr)
        print(f"stored {store.put(folder)}")


def _quantise(calibration: Calibration, folder: Path) -> None:
    from model_store.quantise import quantise

    if calibration.note:
        print(calibration.note)
    result = quantise(folder, calibration.folder, calibration.annotations).evaluation
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


def _bench(options: argparse.Namespace) -> None:
    from model_store.benchmark.command import bench

    print(bench(options))
