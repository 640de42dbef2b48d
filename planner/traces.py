"""Reading a trace of arrivals from a file, block by block, so that its size does not matter for memory.

A file with one column has the time of one request per line, in seconds: increasing numbers, counted from any moment. A
file with two columns has a minute and its number of requests per line; minutes that are left out have none. The first
line of either may be a heading.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from planner.errors import TrafficError
from planner.types import Floats

LARGEST = 4_000_000_000  # bytes of a file
BLOCK = 8_000_000  # bytes read at once
SHOWN = 40  # characters of a wrong value
MOST_PER_MINUTE = 6_000_000
MOST_MINUTES = 10 * 366 * 24 * 60


def has_counts(file: Path) -> bool:
    """Whether a file has counts per minute instead of times; raises TrafficError if it cannot be read or is empty."""
    first = next(_blocks(file), (0, []))[1]
    if not first:
        raise TrafficError(
            f"{file} is empty: write one time in seconds per line, or a minute and its number of requests"
        )
    columns = first[0].count(b",") + 1
    if columns > 2:
        raise TrafficError(f"{file}, line 1: {columns} columns; a time has one, a minute and its count have two")
    return columns == 2


def read_times(file: Path) -> Iterator[Floats]:
    """The times of a file in chunks, arrays `(N,)`, seconds since the first; raises TrafficError."""
    first = before = -math.inf
    for number, lines in _blocks(file):
        number, lines = _without_heading(number, lines, columns=1)
        if not lines:
            continue
        times = _to_numbers(file, number, lines, "a time in seconds")
        steps = np.diff(times, prepend=before)
        if steps.min() <= 0:
            at = int((steps <= 0).argmax())
            _refuse_order(file, number + at, float(times[at]), duplicate=bool(steps[at] == 0))
        if math.isinf(first):
            first = float(times[0])
        before = float(times[-1])
        yield times - first
    if math.isinf(first):
        raise TrafficError(f"{file} has no times: write one time in seconds per line")


def read_counts(file: Path) -> Iterator[tuple[int, int]]:
    """Minute and number of requests of each line, the first minute being 0; raises TrafficError."""
    first, before = None, -1
    for number, lines in _blocks(file):
        number, lines = _without_heading(number, lines, columns=2)
        for at, line in enumerate(lines, start=number):
            minute, count = _to_count(file, at, line)
            if first is None:
                first = minute
            elif minute <= before:
                _refuse_order(file, at, minute, duplicate=minute == before)
            if minute - first > MOST_MINUTES:
                raise TrafficError(f"{file}, line {at}: minute {minute} is more than ten years after the first one")
            before = minute
            yield minute - first, count
    if first is None:
        raise TrafficError(f"{file} has no counts: write a minute and its number of requests per line")


def _to_count(file: Path, number: int, line: bytes) -> tuple[int, int]:
    fields = line.split(b",")
    if len(fields) != 2:
        raise TrafficError(f"{file}, line {number}: {_shown(line)} is not a minute and its number of requests")
    minute, count = _to_numbers(file, number, fields, "a whole number", same_line=True)
    for value in (minute, count):
        if value != int(value):
            raise TrafficError(f"{file}, line {number}: {value:g} is not a whole number")
    if count > MOST_PER_MINUTE:
        raise TrafficError(f"{file}, line {number}: {count:.0f} requests in a minute; the most is {MOST_PER_MINUTE:,}")
    return int(minute), int(count)


def _blocks(file: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Lines in blocks, each with the number of its first line; empty lines at the end of the file are left out."""
    try:
        if (size := file.stat().st_size) > LARGEST:
            raise TrafficError(f"{file} has {size:,} bytes; the most is {LARGEST:,}: split it")
        with file.open("rb") as opened:
            number, rest = 1, b""
            while block := opened.read(BLOCK):
                *lines, rest = (rest + block).replace(b"\r\n", b"\n").split(b"\n")
                while lines and not lines[-1].strip():
                    rest = lines.pop() + b"\n" + rest
                if len(rest) > BLOCK:
                    raise TrafficError(f"{file}, line {number + len(lines)} has more than {BLOCK:,} bytes")
                if lines:
                    yield number, lines
                number += len(lines)
            if rest.strip():
                yield number, [rest]
    except OSError as exc:
        raise TrafficError(f"{file} cannot be read: {exc.strerror}") from None


def _without_heading(number: int, lines: list[bytes], *, columns: int) -> tuple[int, list[bytes]]:
    """The lines of a block without a heading: a first line of as many columns in which no field begins as a number."""
    if number == 1 and lines and lines[0].count(b",") == columns - 1:
        fields = [field.strip() for field in lines[0].split(b",")]
        if all(field[:1].isalpha() and field.lower() not in (b"nan", b"inf", b"infinity") for field in fields):
            return 2, lines[1:]
    return number, lines


def _to_numbers(file: Path, number: int, fields: list[bytes], what: str, *, same_line: bool = False) -> Floats:
    """Fields as an array `(N,)` of finite numbers from 0; `number` is the line of the first."""
    # The array has the width of the longest field.
    if max(map(len, fields)) <= SHOWN:
        try:
            values = np.array(fields, dtype=np.bytes_).astype(np.float64)
            if np.isfinite(values).all() and values.min() >= 0:
                return values
        except ValueError:
            pass
    for at, field in enumerate(fields):
        where = f"{file}, line {number if same_line else number + at}"
        try:
            value = float(field) if len(field) <= SHOWN else math.nan
        except ValueError:
            raise TrafficError(f"{where}: {_shown(field)} is not {what}") from None
        if not math.isfinite(value):
            raise TrafficError(f"{where}: {_shown(field)} is not {what}: it must be finite, in {SHOWN} characters")
        if value < 0:
            raise TrafficError(f"{where}: {_shown(field)} is negative")
    raise TrafficError(f"{file}, line {number}: not all fields from here on are numbers")


def _refuse_order(file: Path, number: int, value: float, *, duplicate: bool) -> None:
    if duplicate:
        raise TrafficError(
            f"{file}, line {number}: {value:.15g} is there twice: write times with more digits, or counts per minute"
        )
    raise TrafficError(f"{file}, line {number}: {value:.15g} is before the line above it: sort the lines")


def _shown(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")
