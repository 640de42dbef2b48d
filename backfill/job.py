"""A backfill from its options: its source, target and journal, the run, and its results."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError

from backfill.cost import Usage, estimate
from backfill.errors import BackfillError, SourceError, TargetFailed
from backfill.existing import Existing, list_existing
from backfill.journal import Journal
from backfill.lists import ListSource
from backfill.manifest import create_job, write_manifest
from backfill.progress import Display
from backfill.queues import QueueTarget, how_to_watch
from backfill.results import Found, write_results
from backfill.run import Run, Target
from backfill.selection import Selection
from backfill.send import HttpTarget
from backfill.sources import BucketSource, FolderSource, Source, parse_s3, short_name
from backfill.summary import summary
from loadtest.cost.prices import load_prices
from loadtest.errors import first_problem
from loadtest.platforms.registry import PLATFORMS
from loadtest.platforms.settings import Settings, read_pairs
from loadtest.runs import key_of, parse_target
from serving.contract import PredictRequest
from serving.result_names import ResultNames

RESULTS = Path("results/backfill")
INTERRUPTED = 130


def go(options: argparse.Namespace) -> int:
    """Do what the command line asks for; returns the exit status. Raises UserError."""
    source, asked = parse_source(options.source, options.bucket), request_options(options)
    settings = _settings(options)
    if options.batch_operations:
        return _write_manifest(options, source, asked)
    stopping = threading.Event()
    target, target_name = _target(options, source, asked, stopping)
    job = {"source": source.name, "target": target_name, "options": json.dumps(asked, sort_keys=True)}
    folder = options.results or RESULTS / short_name(source.name, json.dumps(job))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise BackfillError(f"folder {folder} cannot be made ({exc.strerror}): choose another by --results") from None
    journal = Journal(folder / "journal.sqlite", job)
    try:
        return _run(options, source, target, journal, asked, settings, stopping)
    finally:
        journal.close()


def parse_source(text: str, bucket: str = "") -> Source:
    """The source that a user named; raises SourceError."""
    if "://" in text:
        return BucketSource(*parse_s3(text))
    path = Path(text)
    if path.is_dir():
        return FolderSource(path)
    if not path.is_file():
        raise SourceError(f"{text[:200]} is neither a folder nor a file: name one, or s3://bucket/prefix")
    return ListSource(path, bucket)


def request_options(options: argparse.Namespace) -> dict[str, Any]:
    """The options of every request, without those that have their defaults; raises BackfillError."""
    given = {"confidence": options.confidence, "iou": options.iou, "classes": options.classes}
    asked = {name: value for name, value in given.items() if value is not None}
    if options.no_annotate:
        asked["annotate"] = False
    try:
        PredictRequest.model_validate({"filename": "any.jpg", **asked})
    except ValidationError as exc:
        raise BackfillError(first_problem(exc)) from None
    return asked


def _settings(options: argparse.Namespace) -> Settings | None:
    if not options.platform:
        if options.setting:
            raise BackfillError("--setting needs --platform")
        return None
    settings: Settings = PLATFORMS[options.platform].parse(read_pairs(options.setting))
    estimate(settings, Usage(1, 1, 1.0, 1.0), load_prices(options.prices))  # A missing price is found before the run.
    return settings


def _target(
    options: argparse.Namespace, source: Source, asked: dict[str, Any], stopping: threading.Event
) -> tuple[Target, str]:
    """Where requests go, and its name in the journal."""
    if options.queue:
        if isinstance(source, FolderSource):
            raise BackfillError("a queue holds no pictures: copy the folder to the input bucket, and name its prefix")
        return QueueTarget(options.queue, asked, stopping), options.queue
    url = parse_target(options.url)
    key = key_of(os.environ)
    if key and not all(re.fullmatch("[!-~]+", part) for part in key):  # urllib3 would show it in its error.
        raise BackfillError("API_KEY or API_KEY_HEADER has characters that a header cannot have: correct it")
    target = HttpTarget(url.url + "/predict", asked, key, options.timeout, stopping, options.concurrency)
    return target, url.url


def _run(
    options: argparse.Namespace,
    source: Source,
    target: Target,
    journal: Journal,
    asked: dict[str, Any],
    settings: Settings | None,
    stopping: threading.Event,
) -> int:
    if options.again:
        journal.begin_again()
    _stop_on_signals(stopping)
    skips = asked.get("annotate", True) and not journal.again and not isinstance(source, FolderSource)
    existing = _given(options, source, journal, asked, stopping) if skips else None
    display = Display(source)
    selection = Selection(source, journal, asked, stopping, existing, display.show)
    learns = skips and not existing and bool(options.url)
    start = time.monotonic()
    failure: TargetFailed | SourceError | None = None
    try:
        Run(selection, target, options.concurrency, learns).go()
    except (TargetFailed, SourceError) as exc:
        failure = exc
    seconds = time.monotonic() - start
    display.show(selection.counts, last=True)
    interrupted = stopping.is_set() and failure is None
    if not interrupted and failure is None:
        journal.finished()
    found = write_results(journal, journal.path.parent)
    _report(options, selection, found, seconds, settings)
    if failure:
        raise failure
    if interrupted:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    failed = sum(count for code, count in journal.counts().items() if code not in ("done", "sent"))
    if failed:
        print(f"error: {failed} pictures failed; results.jsonl names them", file=sys.stderr)
    return 1 if failed else 0


def _stop_on_signals(stopping: threading.Event) -> None:
    """Let the first SIGINT or SIGTERM end the run in order, and the second at once."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(INTERRUPTED)  # The journal is whole at any moment.
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _given(
    options: argparse.Namespace, source: Source, journal: Journal, asked: dict[str, Any], stopping: threading.Event
) -> Existing | None:
    """The existing results where the user says how they are named; raises BackfillError."""
    if not options.output and not options.model:
        return None
    name, _, version = options.model.partition(":")
    if not options.output or not name or not version:
        raise BackfillError("--output and --model NAME:VERSION go together: the key of a result has a digest of both")
    if not source.bucket:
        raise BackfillError("--output needs the bucket of the pictures: name it by --bucket")
    bucket, prefix = parse_s3(options.output)
    names = ResultNames(source.bucket, prefix, options.jpeg_quality, name, version)
    return list_existing(journal, source, names, bucket, asked, stopping)


def _report(
    options: argparse.Namespace, selection: Selection, found: Found, seconds: float, settings: Settings | None
) -> None:
    counts, journal, cost = selection.counts, selection.journal, None
    if settings and found.answered:
        sent = journal.total("size") if isinstance(selection.source, FolderSource) else 0.0
        per_picture = (sent + found.answer_bytes) / found.answered
        usage = Usage(found.answered, found.billed_ms, per_picture, journal.seconds() / 3600)
        cost = estimate(settings, usage, load_prices(options.prices))
    print(summary(counts, journal, found, seconds, cost))
    print(f"results: {journal.path.parent}")
    if options.queue and counts.outcomes["sent"]:
        print(how_to_watch(options.queue))


def _write_manifest(options: argparse.Namespace, source: Source, asked: dict[str, Any]) -> int:
    """Write the manifest of Batch Operations, and print the command that creates the job."""
    if isinstance(source, FolderSource):
        raise BackfillError("Batch Operations reads buckets: copy the folder to the input bucket, and name its prefix")
    if not source.bucket:
        raise BackfillError("the list does not name its bucket: name it by --bucket")
    bucket, key = parse_s3(options.batch_operations)
    if not key or key.endswith("/"):
        raise BackfillError(f"{options.batch_operations} is not an object: write s3://bucket/manifest.csv")
    stopping = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.sqlite", {})
        try:
            existing = None if options.again else _given(options, source, journal, asked, stopping)
            selection = Selection(source, journal, asked, stopping, existing)
            written, etag = write_manifest(selection.pictures(), source.bucket, bucket, key)
        finally:
            journal.close()
    counts = selection.counts
    refused = counts.outcomes["failed"]
    print(
        f"{written:,} pictures are in {options.batch_operations}; {counts.existing:,} have a result, {refused:,} have "
        "keys that the service refuses\n\nCreate the job (docs/lambda.md has the role):\n"
    )
    print(create_job(bucket, key, etag, asked))
    return 0
