"""The samples of a run: JMeter's CSV as a table, and what can be wrong with it."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import re
from datetime import datetime, timezone
from pathlib import Path

import polars as pl

from loadtest.errors import SamplesError
from loadtest.results.jtl import COLUMNS, FALSE, NEEDED, TRUE, column_names

HOW = "run it with loadtest/plans/samples.properties (-q), as make loadtest does"
# How a sample begins: with its moment.
BEGIN = re.compile(rb"^\d{10,16},", re.M)
# How far the samples' clock may be from the run's, milliseconds: JMeter starts a few seconds after the run.
CLOCK_LIMIT_MS = 120_000


def read_samples(file: Path) -> tuple[pl.DataFrame, list[str]]:
    """The samples in the order of their start, and warnings; raises SamplesError.

    Columns are those of COLUMNS; `success` and `cold` are booleans, `instance` and the like null where the answer did
    not tell.
    """
    names = _header(file)
    warnings = []
    told = [name for name in COLUMNS if name in names]
    if missing := [name for name in COLUMNS if name not in names]:
        warnings.append(f"{file.name} has no {', '.join(missing)}, so what rests on them is left out: {HOW}")
    table, unclosed = _parse(file, names, told)
    table = table.with_columns(
        *(pl.col(name).cast(COLUMNS[name], strict=False) for name in told),
        *(pl.lit(None, COLUMNS[name]).alias(name) for name in COLUMNS if name not in told),
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
        warnings.append(f"{broken} broken lines of {file.name} are left out")
    return table.with_columns(pl.col("success") == TRUE, pl.col("cold") == TRUE).sort("timeStamp"), warnings


def _parse(file: Path, names: list[str], told: list[str]) -> tuple[pl.DataFrame, int]:
    """Some columns as text, and how many samples were left out as a quote of theirs is never closed.

    Such a quote, as of a line that was cut off, would swallow the samples after it.
    """
    with file.open("rb") as opened, contextlib.closing(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)) as text:
        begins = sum(1 for _ in BEGIN.finditer(text))
        with contextlib.suppress(pl.exceptions.PolarsError):
            table = _read_csv(file, names, told)
            if table.height >= begins:
                return table, 0
        places = [found.start() for found in BEGIN.finditer(text)] + [len(text)]
        records = [text[begin:end] for begin, end in itertools.pairwise(places)]
        closed = [record for record in records if record.count(b'"') % 2 == 0]
        whole = text[: places[0]] + b"".join(closed)
    try:
        return _read_csv(whole, names, told), len(records) - len(closed)
    except pl.exceptions.PolarsError as exc:
        raise SamplesError(f"{file.name} is broken: {str(exc).splitlines()[0]}") from None


def _read_csv(source: Path | bytes, names: list[str], told: list[str]) -> pl.DataFrame:
    return pl.read_csv(
        source, columns=told, schema_overrides=dict.fromkeys(names, pl.String), null_values=["null", ""],
        truncate_ragged_lines=True, quote_char='"', encoding="utf8-lossy",
    )  # fmt: skip


def _header(file: Path) -> list[str]:
    """The names of the columns; raises SamplesError where it is not JMeter's CSV with a header."""
    try:
        with file.open("rb") as opened:
            head = opened.readline(100_000).decode("utf-8", "replace").strip("\ufeff \r\n")
    except FileNotFoundError:
        raise SamplesError(f"no {file.name} in it: the run ended before JMeter began to write") from None
    except OSError as exc:
        raise SamplesError(f"{file.name} cannot be read: {exc.strerror}") from None
    if not head:
        raise SamplesError(f"{file.name} is empty: the run ended before JMeter began to write")
    if head.startswith("<"):
        raise SamplesError(
            f"{file.name} is XML: JMeter has to write CSV (jmeter.save.saveservice.output_format=csv); {HOW}"
        )
    names = column_names(head)
    if missing := [name for name in NEEDED if name not in names]:
        if "timeStamp" in names:
            raise SamplesError(f"{file.name} has no column {', '.join(missing)}: {HOW}")
        raise SamplesError(f"{file.name} has no header with {', '.join(NEEDED)}: {HOW}")
    return names


def clock_warnings(table: pl.DataFrame, started: int, ended: int | None) -> list[str]:
    """A sentence when the samples lie outside of the run, as where their machine has another clock; milliseconds."""
    first, last = int(table["timeStamp"].min()), int(table["timeStamp"].max())  # type: ignore[arg-type]
    off = min(first - started, 0) or max(last - (ended or last), 0)
    if abs(off) <= CLOCK_LIMIT_MS:
        return []
    return [
        f"the samples' clock differs from the run's: the first sample is of {_moment(first)}, the run began at "
        f"{_moment(started)}"
    ]


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
