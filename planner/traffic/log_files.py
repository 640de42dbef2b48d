"""Files of access logs: finding them, and reading one block by block."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planner.errors import TrafficError
from planner.traffic.files import read_blocks, shown
from planner.traffic.log_formats import FORMATS, LogFormat, find_format, parse
from planner.types import Booleans, Floats

SUFFIXES = (".log", ".gz", ".json", ".jsonl", ".txt")
MOST_FILES = 100_000
HEAD = 20  # lines that tell the format
BLOCK = 1_000_000  # bytes read at once; a line has at most as many


@dataclass(frozen=True)
class LogFile:
    """A file of an access log, and the earliest request of its first lines, seconds since 1970."""

    file: Path
    form: LogFormat
    first_s: float


@dataclass(frozen=True)
class LogLines:
    """Some lines: the number of the first one, and of each line its time (NaN if it is wrong) and what it is."""

    first: int
    times: Floats
    predict: Booleans
    blank: Booleans


def find(file: Path, likely: LogFormat | None = None) -> LogFile | None:
    """A file as a log; None if none of its first lines is of a log. Raises TrafficError if it cannot be read.

    The likely format is tried first, which saves time with many files.
    """
    lines = (line for _, block in read_blocks(file, BLOCK) for line in block if line.strip())
    found = find_format(list(itertools.islice(lines, HEAD)), likely)
    return LogFile(file, *found) if found else None


def find_all(paths: Sequence[Path]) -> list[LogFile]:
    """All logs of some files and folders, the earliest first; raises TrafficError if one is not of the same format."""
    files = [file for path in paths for file in (_walk(path) if path.is_dir() else [path])]
    if len(files) > MOST_FILES:
        raise TrafficError(f"{len(files):,} files of logs; the most is {MOST_FILES:,}: join them")
    counts = Counter(file.resolve() for file in files)
    if twice := [file for file, count in counts.items() if count > 1]:
        raise TrafficError(f"{twice[0]} is given twice")
    found: list[LogFile] = []
    for file in files:
        log = find(file, found[0].form if found else None)
        if log is None:
            _refuse_unless_empty(file)
            continue
        if found and found[0].form is not log.form:
            raise TrafficError(
                f"{file} is a log of {log.form.name}, but {found[0].file} one of {found[0].form.name}: "
                "take logs of one format"
            )
        found.append(log)
    if not found:
        raise TrafficError(f"{paths[0]} has no requests: all files of it are empty")
    return sorted(found, key=lambda log: (log.first_s, str(log.file)))


def read(log: LogFile) -> Iterator[LogLines]:
    """The lines of a log in blocks; raises TrafficError."""
    for number, lines in read_blocks(log.file, BLOCK):
        blank = np.array([not line.strip() for line in lines])
        times, predict = parse(log.form, lines)
        lines.clear()  # not kept while other files are read
        yield LogLines(number, times, predict, blank)


def _walk(folder: Path) -> list[Path]:
    """The logs below a folder, by their endings; the files with which AWS tests whether it may write have none."""
    found: list[Path] = []

    def refuse(exc: OSError) -> None:
        raise TrafficError(f"{exc.filename} cannot be read: {exc.strerror}") from None

    for place, _, names in os.walk(folder, onerror=refuse):
        found += [Path(place, name) for name in names if name.lower().endswith(SUFFIXES) and name[0] != "."]
        if len(found) > MOST_FILES:
            raise TrafficError(f"{folder} has more than {MOST_FILES:,} files: take a part of it")
    if not found:
        raise TrafficError(f"{folder} has no logs: their names must end with {', '.join(SUFFIXES)}")
    return sorted(found)


def _refuse_unless_empty(file: Path) -> None:
    for number, lines in read_blocks(file, BLOCK):
        for at, line in enumerate(lines, start=number):
            if line.strip():
                raise TrafficError(
                    f"{file}, line {at}: {shown(line)} is not of an access log; known are "
                    f"{', '.join(form.name for form in FORMATS)}; the name of a trace ends with .csv or .txt"
                )
