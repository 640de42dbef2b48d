"""The format of samples.jtl, JMeter's CSV: its columns, and its rows while JMeter still writes them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from serving.contract import STEPS

# The columns that are read, with their types; other columns of JMeter are ignored.
COLUMNS: dict[str, type[pl.DataType]] = {
    "timeStamp": pl.Int64, "elapsed": pl.Int64, "label": pl.String, "responseCode": pl.String,
    "responseMessage": pl.String, "threadName": pl.String, "success": pl.String,
    "bytes": pl.Int64, "round": pl.Int64, "due": pl.Int64,
    "cold": pl.String, "instance": pl.String, **{step: pl.Float64 for step in STEPS}, "model": pl.String,
    "code": pl.String, "cpu": pl.String,
}  # fmt: skip
# The columns that older runs do not have, and that no figure needs.
OPTIONAL = ("cpu",)
# The columns without which a run cannot be summarised.
NEEDED = ("timeStamp", "elapsed", "label", "responseCode", "success")
TRUE, FALSE = "true", "false"
# A sample without an HTTP response has these in place of the status and of the message.
NO_STATUS, NO_RESPONSE = "Non HTTP response code: ", "Non HTTP response message: "


def column_names(header: str) -> list[str]:
    """The names in the first line of a file."""
    return [name.strip('"') for name in header.lstrip("\ufeff").strip().split(",")]


class Tail:
    """Reads the rows of a file as they are written; a row that is incomplete is kept for the next time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0
        self._rest = ""
        self._names: list[str] = []

    def rows(self) -> Iterator[dict[str, str]]:
        """The rows written since the last call, by column; none while there is no file."""
        try:
            with self._file.open(encoding="utf-8", errors="replace", newline="") as file:
                file.seek(self._offset)
                text = self._rest + file.read()
                self._offset = file.tell()
        except OSError:
            return
        end = text.rfind("\n") + 1
        while text.count('"', 0, end) % 2:  # A message may have several lines.
            end = text.rfind("\n", 0, end - 1) + 1
        self._rest, whole = text[end:], text[:end]
        if not self._names and whole:
            header, _, whole = whole.partition("\n")
            self._names = column_names(header)
        for row in csv.reader(io.StringIO(whole, newline="")):
            if len(row) == len(self._names):
                yield dict(zip(self._names, row, strict=True))
