"""Traffic of access logs of a load balancer or of API Gateway."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planner.errors import TrafficError
from planner.traffic.log_files import LogFile, find_all
from planner.traffic.log_merge import Found, merge
from planner.traffic.scaled import scale_times
from planner.traffic.source import read_all
from planner.types import Floats

MOST_WRONG = 0.01  # of the lines


@dataclass
class LogSource:
    """The requests of /predict in some logs. `found` has the counts, once they were read to their end."""

    logs: Sequence[LogFile]
    repeats: bool = False
    found: Found | None = None

    @property
    def length_s(self) -> float:
        """From the first request of any path to the last one."""
        found = self._read()
        return found.last_s - found.first_s

    def chunks(self, scale: float, random: np.random.Generator) -> Iterator[Floats]:
        """The arrivals since the first request of any path; each is repeated if there shall be more."""
        yield from scale_times(self._times(random), scale, random)

    def notes(self, scale: float) -> list[str]:
        """The format, and what was left out."""
        found = self._read()
        files = f"{len(self.logs):,} files" if len(self.logs) > 1 else "1 file"
        notes = [
            f"an access log of {self.logs[0].form.name}, {files}",
            f"requests left out (other paths, redirects): {found.others:,}",
        ]
        if found.wrong:
            notes.append(f"lines left out (not of the format): {found.wrong:,}, the first is {found.first_wrong}")
        return notes

    def _read(self) -> Found:
        if self.found is None:
            read_all(self)
        assert self.found is not None
        return self.found

    def _times(self, random: np.random.Generator) -> Iterator[Floats]:
        found, first = Found(), None
        for times in merge(self.logs, random, found):
            first = found.first_s if first is None else first
            yield times - first
        where = self.logs[0].file if len(self.logs) == 1 else f"{self.logs[0].file} and {len(self.logs) - 1:,} more"
        if found.wrong > MOST_WRONG * found.lines:
            raise TrafficError(
                f"{where}: {found.wrong:,} of {found.lines:,} lines are not of the format "
                f"({self.logs[0].form.name}), the first is {found.first_wrong}; the most is {MOST_WRONG:.0%}"
            )
        if not found.requests:
            raise TrafficError(f"{where}: none of {found.others:,} requests is of /predict")
        self.found = found


def to_source(paths: Sequence[Path]) -> LogSource:
    """The traffic of some files and folders; raises TrafficError unless all are logs of one format."""
    return LogSource(find_all(paths))
