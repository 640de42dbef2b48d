"""Pictures from a list in a file: text, JSON lines, or CSV as S3 Inventory and S3 Batch Operations write it."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from backfill.errors import SourceError
from backfill.pictures import Picture, is_picture

MAX_LINE = 65_536  # Bytes; a key has at most 1024, which are 3072 when URL-encoded.
FORMATS = (".txt", ".jsonl", ".csv")

Row = Mapping[str, Any]


class ListSource:
    """The keys of a file, which may be compressed by gzip.

    Text has a key per line. A JSON line has `key`, and may have `bucket`, `etag` and `size`. CSV has a header with
    these names, or no header: then its first columns are the bucket and the URL-encoded key.
    """

    folder = ""

    def __init__(self, path: Path, bucket: str = "") -> None:
        self.path, self.bucket = path, bucket
        self.name = str(path.resolve())
        suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
        self._format = suffixes[-1] if suffixes else ""
        if self._format not in FORMATS:
            raise SourceError(f"{path.name} is not a list of keys: its name must end with {', '.join(FORMATS)}, or .gz")
        if not bucket and self._format != ".txt":
            self.bucket = next((row["bucket"] for _, row in self._rows() if row.get("bucket")), "")

    def pictures(self) -> Iterator[Picture | None]:
        """The pictures in the order of the file."""
        for number, row in self._rows():
            key, bucket = row.get("key"), row.get("bucket") or self.bucket
            if not isinstance(key, str) or not key:
                raise self._wrong(number, "has no key")
            if bucket != self.bucket:
                raise self._wrong(number, f"is in bucket {bucket!s:.63}, not {self.bucket}: make one list per bucket")
            size = row.get("size")
            known = int(size) if isinstance(size, int | str) and str(size).isdecimal() else None
            name = key.encode(errors="surrogatepass")
            yield Picture(name, str(row.get("etag") or "").strip('"'), known) if is_picture(key) else None

    def _rows(self) -> Iterator[tuple[int, Row]]:
        """The rows with the numbers of their lines; raises SourceError."""
        reader = {".txt": self._text, ".jsonl": self._json, ".csv": self._csv}[self._format]
        try:
            with self._open() as file:
                yield from reader(file)
        except (OSError, EOFError) as exc:
            raise SourceError(f"{self.path} cannot be read ({exc}): check the file") from None

    def _open(self) -> io.BufferedReader:
        if self.path.suffix.lower() == ".gz":
            return io.BufferedReader(gzip.open(self.path))
        return self.path.open("rb")

    def _lines(self, file: io.BufferedReader) -> Iterator[str]:
        number = 0
        while line := file.readline(MAX_LINE):
            number += 1
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise self._wrong(number, "is not UTF-8") from None
            if len(line) == MAX_LINE:
                raise self._wrong(number, f"has more than {MAX_LINE} bytes")
            yield text

    def _text(self, file: io.BufferedReader) -> Iterator[tuple[int, Row]]:
        for number, line in enumerate(self._lines(file), start=1):
            if key := line.rstrip("\r\n"):
                yield number, {"key": key}

    def _json(self, file: io.BufferedReader) -> Iterator[tuple[int, Row]]:
        for number, line in enumerate(self._lines(file), start=1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise self._wrong(number, "is not a JSON object")
            yield number, row

    def _csv(self, file: io.BufferedReader) -> Iterator[tuple[int, Row]]:
        header: list[str] | None = None
        reader = csv.reader(self._lines(file), strict=True)
        try:
            for row in reader:
                if reader.line_num == 1 and "key" in (names := [cell.strip().lower() for cell in row]):
                    header = names
                elif header:
                    yield reader.line_num, dict(zip(header, row, strict=False))
                elif len(row) > 1:
                    yield reader.line_num, {"bucket": row[0], "key": unquote_plus(row[1])}
                elif row:
                    raise self._wrong(reader.line_num, "has one column: write a header, or bucket and key")
        except csv.Error as exc:
            raise self._wrong(reader.line_num, f"is not CSV ({exc})") from None

    def _wrong(self, number: int, what: str) -> SourceError:
        return SourceError(f"{self.path.name}: line {number} {what}")
