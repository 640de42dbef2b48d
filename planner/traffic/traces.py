"""Traffic of a trace: a file with the times of requests, or with their number per minute, read block by block.

A file with one column has the time of one request per line, in seconds: increasing numbers, counted from any moment. A
file with two columns has a minute and its number of requests per line; minutes that are left out have none. The first
line of either may be a heading.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planner.errors import TrafficError
from planner.traffic.files import SHOWN, read_blocks, shown
from planner.traffic.scaled import scale_count, scale_times
from planner.traffic.source import read_all
from planner.types import Floats

MOST_PER_MINUTE = 6_000_000
MOST_MINUTES = 10 * 366 * 24 * 60


@dataclass
class Trace(ABC):
    """The arrivals of a file. `read_s` is the end of the trace, once the file was read."""

    file: Path
    repeats: bool = False
    read_s: float | None = None

    @property
    def length_s(self) -> float:
        """The end of the trace: its last arrival or, with counts, its last minute, even if that has no requests."""
        if self.read_s is None:
            read_all(self)
        return self.read_s or 0.0

    @abstractmethod
    def chunks(self, scale: float, random: np.random.Generator) -> Iterator[Floats]:
        """The arrivals in chunks, as `Source` has them."""

    @abstractmethod
    def notes(self, scale: float) -> list[str]:
        """The kind of traffic."""


class TimesSource(Trace):
    """The arrivals of a file with one time per line."""

    def chunks(self, scale: float, random: np.random.Generator) -> Iterator[Floats]:
        """The arrivals; each is repeated before the next one if there shall be more."""
        yield from scale_times(self._times(), scale, random)

    def notes(self, scale: float) -> list[str]:
        """The kind of traffic."""
        return ["a trace with one time per line"]

    def _times(self) -> Iterator[Floats]:
        last = 0.0
        for times in read_times(self.file):
            last = float(times[-1])
            yield times
        self.read_s = last


class CountsSource(Trace):
    """The arrivals of a file with a count per minute."""

    def chunks(self, scale: float, random: np.random.Generator) -> Iterator[Floats]:
        """Requests of each minute at uniform random times in it, as those of a Poisson process with this count are."""
        end = 0.0
        for minute, count in read_counts(self.file):
            end = (minute + 1) * 60.0
            number = scale_count(count * scale, random)
            if number > MOST_PER_MINUTE:
                raise TrafficError(
                    f"{self.file}: {number:,} requests in a minute at scale {scale:g}; the most is {MOST_PER_MINUTE:,}"
                )
            if number:
                yield minute * 60 + np.sort(random.uniform(0, 60, number))
        self.read_s = end

    def notes(self, scale: float) -> list[str]:
        """The kind of traffic."""
        return ["a trace with counts per minute"]


def to_source(file: Path) -> TimesSource | CountsSource:
    """The traffic of a trace; raises TrafficError if it cannot be read, is empty or is not a trace."""
    return CountsSource(file) if _has_counts(file) else TimesSource(file)


def _has_counts(file: Path) -> bool:
    """Whether a file has counts per minute instead of times."""
    first = next(read_blocks(file), (0, []))[1]
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
    for number, lines in read_blocks(file):
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
    for number, lines in read_blocks(file):
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
        raise TrafficError(f"{file}, line {number}: {shown(line)} is not a minute and its number of requests")
    minute, count = _to_numbers(file, number, fields, "a whole number", same_line=True)
    for value in (minute, count):
        if value != int(value):
            raise TrafficError(f"{file}, line {number}: {value:g} is not a whole number")
    if count > MOST_PER_MINUTE:
        raise TrafficError(f"{file}, line {number}: {count:.0f} requests in a minute; the most is {MOST_PER_MINUTE:,}")
    return int(minute), int(count)


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
            raise TrafficError(f"{where}: {shown(field)} is not {what}") from None
        if not math.isfinite(value):
            raise TrafficError(f"{where}: {shown(field)} is not {what}: it must be finite, in {SHOWN} characters")
        if value < 0:
            raise TrafficError(f"{where}: {shown(field)} is negative")
    raise TrafficError(f"{file}, line {number}: not all fields from here on are numbers")


def _refuse_order(file: Path, number: int, value: float, *, duplicate: bool) -> None:
    if duplicate:
        raise TrafficError(
            f"{file}, line {number}: {value:.15g} is there twice: write times with more digits, or counts per minute"
        )
    raise TrafficError(f"{file}, line {number}: {value:.15g} is before the line above it: sort the lines")
