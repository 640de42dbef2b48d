"""`python -m backfill`: detect objects in every picture of a prefix, a folder or a list; a second start goes on."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from backfill.errors import BackfillError
from detection.errors import UserError
from loadtest.cost.prices import PRICES
from loadtest.platforms.registry import PLATFORMS
from serving.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0 if every picture has a result, 130 if it was interrupted, else 1."""
    options = parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("backfill").setLevel(logging.INFO)
    try:
        return _go(options)
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _go(options: argparse.Namespace) -> int:
    try:
        from backfill.job import go
    except ModuleNotFoundError as exc:
        raise BackfillError(f"the package {exc.name} is missing: pip install -e '.[backfill]'") from None
    return go(options)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m backfill", description=__doc__)
    top.add_argument("source", help="s3://bucket/prefix, a folder, or a list of keys: .txt, .jsonl or .csv, also .gz")
    target = top.add_mutually_exclusive_group(required=True)
    target.add_argument("--url", help="URL of the service or of the function's API; a key is read from API_KEY")
    target.add_argument("--queue", metavar="URL", help="URL of the SQS queue whose workers answer")
    target.add_argument(
        "--batch-operations", metavar="S3_URL", help="write a manifest of S3 Batch Operations to this object"
    )
    top.add_argument("--bucket", default="", help="bucket of the keys of a list that does not name it")

    request = top.add_argument_group("the requests")
    request.add_argument("--confidence", type=float, help="lowest score of a detection, 0..1")
    request.add_argument("--iou", type=float, help="largest overlap of two boxes of a class, 0..1")
    request.add_argument("--class", dest="classes", action="append", help="label to keep; may be repeated")
    request.add_argument("--no-annotate", action="store_true", help="do not draw and store the annotated pictures")
    request.add_argument("--concurrency", type=_count, default=4, help="requests in flight (4)")
    request.add_argument("--timeout", type=_seconds, default=60.0, help="time for one request, in seconds (60)")

    what = top.add_argument_group("what is done already")
    what.add_argument("--results", type=Path, help="folder of journal and results (results/backfill/NAME)")
    what.add_argument("--again", action="store_true", help="forget the journal, and replace results that exist")
    what.add_argument(
        "--output",
        default="",
        metavar="S3_URL",
        help="bucket and prefix of the results, which an answer to --url tells",
    )
    what.add_argument("--model", default="", metavar="NAME:VERSION", help="model of the results in --output")
    quality = int(Settings.model_fields["jpeg_quality"].default)
    what.add_argument(
        "--jpeg-quality", type=int, choices=range(1, 101), default=quality, metavar="QUALITY",
        help=f"JPEG_QUALITY of the results in --output ({quality})",
    )  # fmt: skip

    cost = top.add_argument_group("the costs")
    cost.add_argument("--platform", choices=[name for name, platform in PLATFORMS.items() if platform.price])
    cost.add_argument(
        "--setting", action="append", default=[], metavar="NAME=VALUE",
        help="setting of the platform, e.g. memory_mb=3000; may be repeated",
    )  # fmt: skip
    cost.add_argument("--prices", type=Path, default=PRICES, help="file of prices")
    return top


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("must be 1 to 1000")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0.1 <= number <= 3600:
        raise argparse.ArgumentTypeError("must be 0.1 to 3600")
    return number
