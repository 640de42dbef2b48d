"""One line with the progress of a run: rewritten on a terminal, repeated at intervals elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO

from backfill.errors import SourceError
from backfill.selection import Counts
from backfill.sources import Source

EVERY_S = 30.0  # Interval of lines without a terminal.


class Display:
    """The progress of a run. The pictures are counted in the background, as the source is read while it goes on."""

    def __init__(self, source: Source, out: TextIO | None = None) -> None:
        self._source, self._out = source, out or sys.stderr
        self._total: int | None = None
        self._start = self._last = time.monotonic()
        self._seen: list[tuple[float, int]] = [(self._start, 0)]
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        try:
            self._total = sum(picture is not None for picture in self._source.pictures())
        except SourceError:
            self._total = None  # The run itself meets the same error and reports it.

    def show(self, counts: Counts, *, last: bool = False) -> None:
        """Print the line if it is due."""
        now = time.monotonic()
        terminal = self._out.isatty()
        if not last and now - self._last < (0.5 if terminal else EVERY_S):
            return
        self._last = now
        line = self.line(counts, now)
        self._out.write(f"\r\x1b[K{line[:150]}" + ("\n" if last else "") if terminal else f"{line}\n")
        self._out.flush()

    def line(self, counts: Counts, now: float) -> str:
        """The line: pictures, failures, the rate of the last minute, and the time that is left."""
        outcomes = counts.outcomes
        left_out = counts.journaled + counts.existing + counts.results
        finished = outcomes.total()
        self._seen = [(t, n) for t, n in self._seen if now - t < 60][-200:] or [(self._start, 0)]
        then, before = self._seen[0]
        rate = (finished - before) / (now - then) if now > then else 0.0
        self._seen.append((now, finished))
        done = f"{finished + left_out:,}" + (f" of {self._total:,}" if self._total is not None else "") + " pictures"
        parts = [done, f"{left_out:,} left out", f"{outcomes['failed'] + outcomes['later']:,} failed", f"{rate:.1f}/s"]
        if self._total is not None and rate > 0:
            parts.append(f"{max(0, self._total - finished - left_out) / rate / 60:.0f} min left")
        return ", ".join(parts)
