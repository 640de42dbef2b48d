"""Writes the results of a job: JSON lines as the service answered, and Parquet for analysis.

results.jsonl        one line per picture: its key and the answer, or its key and the error
pictures.parquet     one row per picture
detections.parquet   one row per detection

Each file is written under another name and renamed, so that readers never see half a file. Memory does not grow with
the number of pictures.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from backfill.errors import JournalError
from backfill.journal import Entry, Journal
from serving.contract import STEPS

_ROWS = 10_000  # Rows in memory at a time.
_ROW_GROUP = 100_000

PICTURES: dict[str, Any] = {
    "key": pl.String, "error": pl.String, "message": pl.String, "width": pl.Int64, "height": pl.Int64,
    "detections": pl.Int64, "model": pl.String, "version": pl.String, "result_bucket": pl.String,
    "result_key": pl.String, "bytes": pl.Int64, "seconds": pl.Float64,
    **{f"{step}_ms": pl.Float64 for step in (*STEPS, "total")},
}  # fmt: skip
DETECTIONS: dict[str, Any] = {
    "key": pl.String, "label": pl.String, "class_id": pl.Int64, "confidence": pl.Float64,
    "x1": pl.Float64, "y1": pl.Float64, "x2": pl.Float64, "y2": pl.Float64, "width": pl.Int64, "height": pl.Int64,
}  # fmt: skip

Row = dict[str, Any]


@dataclass
class Found:
    """What the answers say together: counts of detections and of pictures by label, and totals for the costs."""

    answered: int = 0
    detections: Counter[str] = field(default_factory=Counter)
    pictures: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    billed_ms: int = 0
    answer_bytes: int = 0

    def add(self, entry: Entry) -> None:
        """Count one answer."""
        self.answered += 1
        labels = [one["label"] for one in entry.answer["detections"]]
        self.detections.update(labels)
        self.pictures.update(set(labels))
        self.models["{name}:{version}".format(**entry.answer["model"])] += 1
        self.billed_ms += -int(-entry.answer["timings_ms"]["total"] // 1)  # Rounded up.
        self.answer_bytes += len(json.dumps(entry.answer))


def write_results(journal: Journal, folder: Path) -> Found:
    """Write the three files of a job; returns their totals. Raises JournalError if they cannot be written."""
    found = Found()
    try:
        _replace(folder / "results.jsonl", lambda path: _write_lines(journal, path, found))
        for name, schema, rows in (
            ("pictures.parquet", PICTURES, _picture_rows),
            ("detections.parquet", DETECTIONS, _detection_rows),
        ):
            _replace(folder / name, lambda path, s=schema, r=rows: _write_parquet(path, s, r(journal.entries())))  # type: ignore[misc]
    except (OSError, pl.exceptions.ComputeError) as exc:
        raise JournalError(
            f"{folder}: the results cannot be written ({exc}): they are safe in {journal.path}"
        ) from None
    return found


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    part = path.with_name(f"{path.name}.part")
    write(part)
    os.replace(part, path)


def _write_lines(journal: Journal, path: Path, found: Found) -> None:
    with path.open("w", encoding="utf-8") as file:
        for entry in journal.entries():
            if entry.state == "done":
                found.add(entry)
                line = {"key": entry.picture.key, **entry.answer}
            else:
                line = {"key": entry.picture.key, "error": {"code": entry.code, **entry.answer}}
            file.write(json.dumps(line) + "\n")


def _write_parquet(path: Path, schema: dict[str, Any], rows: Iterator[Row]) -> None:
    def frames(columns: list[str] | None, *_: object) -> Iterator[pl.DataFrame]:
        yield pl.DataFrame(schema=schema)  # A file without rows has its columns, too.
        while some := list(islice(rows, _ROWS)):
            yield pl.DataFrame(some, schema=schema)

    register_io_source(frames, schema=schema).sink_parquet(path, row_group_size=_ROW_GROUP)


def _picture_rows(entries: Iterable[Entry]) -> Iterator[Row]:
    for entry in entries:
        answer, picture = entry.answer, entry.picture
        image, model = answer.get("image", {}), answer.get("model", {})
        timings = answer.get("timings_ms")
        yield {
            "key": picture.key, "error": entry.code or None, "message": answer.get("message"),
            "width": image.get("width"), "height": image.get("height"),
            "detections": len(answer["detections"]) if "detections" in answer else None,
            "model": model.get("name"), "version": model.get("version"),
            "result_bucket": answer.get("bucket"), "result_key": answer.get("filename"),
            "bytes": picture.size, "seconds": entry.seconds,
            **{f"{step}_ms": timings and timings.get(step, 0) for step in (*STEPS, "total")},
        }  # fmt: skip


def _detection_rows(entries: Iterable[Entry]) -> Iterator[Row]:
    for entry in entries:
        for one in entry.answer.get("detections", []):
            yield {
                "key": entry.picture.key, **{name: one[name] for name in ("label", "class_id", "confidence")},
                **{corner: one["box"][corner] for corner in ("x1", "y1", "x2", "y2")}, **entry.answer["image"],
            }  # fmt: skip
