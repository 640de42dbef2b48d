"""The samples of a run: JMeter's CSV as a table, and what is wrong with it."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import re
from datetime import datetime, timezone
from pathlib import Path

import polars as pl

from loadtest.errors import SamplesError
from loadtest.results.jtl import COLUMNS, FALSE, NEEDED, OPTIONAL, TRUE, column_names

HOW = "run JMeter with -q loadtest/plans/samples.properties, as make loadtest does"
# A sample begins with its time stamp.
BEGIN = re.compile(rb"^\d{10,16},", re.M)
# Largest difference between the clocks of samples and run, milliseconds; JMeter starts a few seconds after the run.
CLOCK_LIMIT_MS = 120_000


def read_samples(file: Path) -> tuple[pl.DataFrame, list[str]]:
    """The samples in the order of their start, and warnings; raises SamplesError.

    The columns are those of COLUMNS; `success` and `cold` are booleans; `instance` and others are null if the answer
    did not have them.
    """
    names = _header(file)
    warnings = []
    present = [name for name in COLUMNS if name in names]
    if missing := [name for name in COLUMNS if name not in {*names, *OPTIONAL}]:
        warnings.append(f"{file.name} has no {', '.join(missing)}, so figures that need them are missing: {HOW}")
    table, unclosed = _parse(file, names, present)
    table = table.with_columns(
        *(pl.col(name).cast(COLUMNS[name], strict=False) for name in present),
        *(pl.lit(None, COLUMNS[name]).alias(name) for name in COLUMNS if name not in present),
    )
    rows = table.height + unclosed
    if not rows:
        raise SamplesError(f"{file.name} has a header and no samples: the run ended before its first answer")
    table = table.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in NEEDED)).filter(
        pl.col("success").is_in([TRUE, FALSE]), pl.col("elapsed") >= 0
    )
    if broken := rows - table.height:
        if not table.height:
            raise SamplesError(
                f"{file.name}: none of its {rows} lines can be read: is timeStamp in milliseconds? {HOW}"
            )
        warnings.append(f"{broken} broken lines of {file.name} are ignored")
    return table.with_columns(pl.col("success") == TRUE, pl.col("cold") == TRUE).sort("timeStamp"), warnings


def _parse(file: Path, names: list[str], present: list[str]) -> tuple[pl.DataFrame, int]:
    """The columns in `present` as text, and the number of samples that were dropped because of an unclosed quote.

    Such a quote, e.g. in a truncated line, would otherwise swallow the samples after it.
    """
    with file.open("rb") as opened, contextlib.closing(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)) as text:
        begins = sum(1 for _ in BEGIN.finditer(text))
        with contextlib.suppress(pl.exceptions.PolarsError):
            table = _read_csv(file, names, present)
            if table.height >= begins:
                return table, 0
        places = [found.start() for found in BEGIN.finditer(text)] + [len(text)]
        records = [text[begin:end] for begin, end in itertools.pairwise(places)]
        closed = [record for record in records if record.count(b'"') % 2 == 0]
        whole = text[: places[0]] + b"".join(closed)
    try:
        return _read_csv(whole, names, present), len(records) - len(closed)
    except pl.exceptions.PolarsError as exc:
        raise SamplesError(f"{file.name} is broken: {str(exc).splitlines()[0]}") from None


def _read_csv(source: Path | bytes, names: list[str], present: list[str]) -> pl.DataFrame:
    return pl.read_csv(
        source, columns=present, schema_overrides=dict.fromkeys(names, pl.String), null_values=["null", ""],
        truncate_ragged_lines=True, quote_char='"', encoding="utf8-lossy",
    )  # fmt: skip


def _header(file: Path) -> list[str]:
    """The names of the columns; raises SamplesError if the file is not JMeter's CSV with a header."""
    try:
        with file.open("rb") as opened:
            head = opened.readline(100_000).decode("utf-8", "replace").strip("\ufeff \r\n")
    except FileNotFoundError:
        raise SamplesError(f"there is no {file.name}: the run ended before JMeter began to write") from None
    except OSError as exc:
        raise SamplesError(f"{file.name} cannot be read: {exc.strerror}") from None
    if not head:
        raise SamplesError(f"{file.name} is empty: the run ended before JMeter began to write")
    if head.startswith("<"):
        raise SamplesError(
            f"{file.name} is XML: JMeter must write CSV (jmeter.save.saveservice.output_format=csv); {HOW}"
        )
    names = column_names(head)
    if missing := [name for name in NEEDED if name not in names]:
        if "timeStamp" in names:
            raise SamplesError(f"{file.name} has no column {', '.join(missing)}: {HOW}")
        raise SamplesError(f"{file.name} has no header with {', '.join(NEEDED)}: {HOW}")
    return names


def clock_warnings(table: pl.DataFrame, started: int, ended: int | None) -> list[str]:
    """A warning if the samples lie outside the run, e.g. because their machine has another clock; milliseconds."""
    first, last = int(table["timeStamp"].min()), int(table["timeStamp"].max())  # type: ignore[arg-type]
    off = min(first - started, 0) or max(last - (ended or last), 0)
    if abs(off) <= CLOCK_LIMIT_MS:
        return []
    return [
        f"the samples' clock differs from the run's: the first sample began at {_moment(first)}, the run at "
        f"{_moment(started)}"
    ]


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
