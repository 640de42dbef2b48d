"""What is done, in one SQLite file: a kill at any moment leaves it whole, and it takes no memory for millions of keys.

A commit does not wait for the disk. So a killed process loses nothing that it recorded; a machine that loses power
loses at most what came since SQLite's last checkpoint, and these pictures are sent again.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from backfill.errors import JournalError
from backfill.pictures import Picture

# failed: the same request would fail again. later: it may succeed at the next start. sent: it is in a queue. begun: the
# outcome is not known, as the process was killed, or is still waiting.
State = Literal["done", "failed", "later", "sent", "begun"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS job (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS pictures (
  name BLOB PRIMARY KEY, tag TEXT NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL,
  size INTEGER, seconds REAL NOT NULL, answer TEXT NOT NULL
);
CREATE TEMP TABLE results (key BLOB PRIMARY KEY) WITHOUT ROWID;
"""
_VERSION = "1"


@dataclass(frozen=True)
class Outcome:
    """What became of a picture: its answer, or the code and message of an error; `seconds` is its last try's time."""

    state: State
    code: str = ""
    answer: Mapping[str, Any] | None = None
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Entry:
    """One picture of the journal; `size` in bytes if it is known."""

    picture: Picture
    state: str
    code: str
    seconds: float
    answer: dict[str, Any]


class Journal:
    """The journal of one job, used by one process at a time and never by two threads at the same time."""

    def __init__(self, path: Path, job: Mapping[str, str]) -> None:
        """Open or make a journal; raises JournalError if it is in use, not a journal, or of another job."""
        self.path = path
        with self._translated():
            # Polars reads the entries from a thread of its own, while this one waits.
            self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                self._db.executescript("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;")
                self._db.executescript("PRAGMA synchronous = NORMAL; PRAGMA temp_store = FILE;" + _SCHEMA)
                self._check({"version": _VERSION, **job})
                self._run = self._db.execute("INSERT INTO runs (seconds) VALUES (0)").lastrowid
            except BaseException:
                self._db.close()
                raise
        self._start = time.monotonic()

    def _check(self, job: Mapping[str, str]) -> None:
        known = dict(self._db.execute("SELECT name, value FROM job WHERE name != 'again'"))
        if not known:
            self._db.executemany("INSERT INTO job VALUES (?, ?)", job.items())
            return
        for name, value in job.items():
            if known.get(name) != value:
                raise JournalError(
                    f"{self.path} is the journal of another job: its {name} is {known.get(name, 'missing')}, not "
                    f"{value}: choose another folder by --results"
                )

    def close(self) -> None:
        """Write everything to the disk and close the file."""
        with self._translated():
            self._db.close()

    def begin_again(self) -> None:
        """Forget every picture, so that all are sent again, also after a break of this run."""
        with self._translated():
            self._db.executescript(
                "BEGIN; DELETE FROM pictures; DELETE FROM runs;"
                "INSERT OR REPLACE INTO job VALUES ('again', '1'); COMMIT;"
            )
            self._run = self._db.execute("INSERT INTO runs (seconds) VALUES (0)").lastrowid

    @property
    def again(self) -> bool:
        """Whether a run that sends everything again is not finished."""
        return self._db.execute("SELECT 1 FROM job WHERE name = 'again'").fetchone() is not None

    def finished(self) -> None:
        """Record that a run came to its end."""
        with self._translated():
            self._db.execute("DELETE FROM job WHERE name = 'again'")

    def state(self, picture: Picture) -> State | None:
        """What is known of this version of a picture."""
        row = self._db.execute("SELECT tag, state FROM pictures WHERE name = ?", (picture.name,)).fetchone()
        return row[1] if row and row[0] == picture.tag else None

    def begin(self, pictures: Iterable[Picture]) -> None:
        """Record that requests for some pictures are about to be sent; raises JournalError."""
        self.record((picture, Outcome("begun")) for picture in pictures)

    def record(self, outcomes: Iterable[tuple[Picture, Outcome]]) -> None:
        """Record what became of some pictures, all or none of them; raises JournalError, e.g. if the disk is full."""
        rows = [(p.name, p.tag, o.state, o.code, p.size, o.seconds, _text(o)) for p, o in outcomes]
        with self._translated():
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            self._clock()
            self._db.execute("COMMIT")

    def _clock(self) -> None:
        self._db.execute("UPDATE runs SET seconds = ? WHERE id = ?", (time.monotonic() - self._start, self._run))

    def add_results(self, keys: Iterable[str]) -> int:
        """Keep the keys of results that exist already, on disk; returns how many there are."""
        with self._translated():
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR IGNORE INTO results VALUES (?)", ((key.encode(),) for key in keys))
            self._db.execute("COMMIT")
            return int(self._db.execute("SELECT count(*) FROM results").fetchone()[0])

    def has_result(self, key: str) -> bool:
        """Whether a result is among those that exist already."""
        return self._db.execute("SELECT 1 FROM results WHERE key = ?", (key.encode(),)).fetchone() is not None

    def entries(self) -> Iterator[Entry]:
        """All pictures in the order in which they were recorded, one at a time."""
        with self._translated():
            for name, tag, state, code, size, seconds, answer in self._db.execute(
                "SELECT name, tag, state, code, size, seconds, answer FROM pictures "
                "WHERE state != 'begun' ORDER BY rowid"
            ):
                yield Entry(Picture(name, tag, size), state, code, seconds, json.loads(answer))

    def counts(self) -> dict[str, int]:
        """The number of pictures by code; the code of a success is its state."""
        rows = self._db.execute(
            "SELECT CASE code WHEN '' THEN state ELSE code END, count(*) FROM pictures WHERE state != 'begun' "
            "GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        return dict(rows)

    def total(self, column: Literal["size", "seconds"]) -> float:
        """The sum of a column over the pictures that were answered."""
        return float(self._db.execute(f"SELECT total({column}) FROM pictures WHERE state = 'done'").fetchone()[0])

    def percentile(self, share: float) -> float | None:
        """A percentile (0..1) of the seconds of the answered pictures, by the nearest rank; None without any."""
        (count,) = self._db.execute("SELECT count(*) FROM pictures WHERE state = 'done'").fetchone()
        rank = max(0, min(count - 1, int(-(-share * count // 1)) - 1))
        query = "SELECT seconds FROM pictures WHERE state = 'done' ORDER BY seconds LIMIT 1 OFFSET ?"
        row = self._db.execute(query, (rank,)).fetchone()
        return None if row is None else float(row[0])

    def seconds(self) -> float:
        """How long all runs of this job took together, each until its last outcome."""
        return float(self._db.execute("SELECT total(seconds) FROM runs").fetchone()[0])

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            if "locked" in str(exc):
                raise JournalError(f"{self.path} is in use: another backfill of this job runs") from None
            raise JournalError(
                f"{self.path} cannot be used ({exc}): check the file and the space on the disk"
            ) from None


def _text(outcome: Outcome) -> str:
    """The answer or the error as JSON; lone surrogates, which SQLite cannot hold, stay escaped."""
    return json.dumps(outcome.answer if outcome.answer is not None else {"message": outcome.message})
