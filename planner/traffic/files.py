"""Reading lines of plain and gzip files block by block, so that the size of a file does not matter for memory."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from planner.errors import TrafficError

LARGEST = 4_000_000_000  # bytes of a file, unpacked
BLOCK = 8_000_000  # bytes read at once
SHOWN = 40  # characters of a wrong value
GZIP = b"\x1f\x8b"


def read_blocks(file: Path, block: int | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """Lines in blocks of so many bytes, each with the number of its first line; raises TrafficError.

    Blank lines at the end of the file are left out, and a run of blank lines between two blocks counts as one.
    """
    block = block or BLOCK
    number, rest, blank = 1, b"", 0  # `blank` is the number of the first of the blank lines held back
    for text in _read(file, block):
        text = rest + text
        *lines, rest = (text.replace(b"\r\n", b"\n") if b"\r" in text else text).split(b"\n")
        del text  # not kept while others work with the lines
        if len(rest) > block:
            raise TrafficError(f"{file}, line {number + len(lines)} has more than {block:,} bytes")
        filled = _without_blank_end(lines)
        if filled:
            if blank:
                yield blank, [b""]
            blank = 0
        if filled < len(lines):
            blank = blank or number + filled
        first, number = number, number + len(lines)
        del lines[filled:]
        if lines:
            yield first, lines
    if rest.strip():
        if blank:
            yield blank, [b""]
        yield number, [rest]


def shown(value: bytes) -> str:
    """A printable form of a wrong value, shortened."""
    text = value.decode("utf-8", "replace")
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")


def _without_blank_end(lines: list[bytes]) -> int:
    """How many lines are left without the blank ones at the end."""
    filled = len(lines)
    while filled and not lines[filled - 1].strip():
        filled -= 1
    return filled


def _read(file: Path, block: int) -> Iterator[bytes]:
    """The bytes of a file in blocks, unpacked if it is a gzip file, at most `LARGEST` of them."""
    total = 0
    try:
        if not file.is_file():
            raise TrafficError(f"{file} is not a file")
        if (size := file.stat().st_size) > LARGEST:
            raise TrafficError(f"{file} has {size:,} bytes; the most is {LARGEST:,}: split it")
        with file.open("rb") as raw, _unpacked(raw) as opened:
            while text := opened.read(block):
                total += len(text)
                if total > LARGEST:
                    raise TrafficError(f"{file} has more than {LARGEST:,} bytes when it is unpacked: split it")
                yield text
    except (gzip.BadGzipFile, zlib.error, EOFError) as exc:
        raise TrafficError(f"{file} is a damaged gzip file: {exc}") from None
    except OSError as exc:
        raise TrafficError(f"{file} cannot be read: {exc.strerror}") from None


def _unpacked(raw: io.BufferedReader) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if raw.peek(2)[:2] == GZIP else raw
