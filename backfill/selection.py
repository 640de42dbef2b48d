"""Which pictures of a source need a request."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from backfill.existing import Existing, request_for
from backfill.journal import Journal, Outcome
from backfill.pictures import Picture
from backfill.sources import Source


@dataclass
class Counts:
    """What became of the pictures; `listed` are the pictures that the source has named so far."""

    listed: int = 0
    others: int = 0
    journaled: int = 0
    existing: int = 0
    results: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass
class Selection:
    """The pictures of a source that need a request, until `stopping` is set.

    `existing` is what has a result already. `tick` is called often, for the progress.
    """

    source: Source
    journal: Journal
    options: Mapping[str, Any]
    stopping: threading.Event
    existing: Existing | None = None
    tick: Callable[[Counts], None] = lambda counts: None
    counts: Counts = field(default_factory=Counts)

    def pictures(self) -> Iterator[Picture]:
        """Each of them, once; raises SourceError and JournalError."""
        for picture in self.source.pictures():
            self.tick(self.counts)
            if self.stopping.is_set():
                return
            if picture is None:
                self.counts.others += 1
                continue
            self.counts.listed += 1
            known = self.journal.state(picture)
            if known in ("done", "failed", "sent"):
                self.counts.journaled += 1
            elif known:  # Its answer never came; its result may exist, but without the answer it is of no use here.
                yield picture
            elif self.existing and self.existing.is_result(picture):
                self.counts.results += 1
            elif refusal := self._refusal(picture):
                self.journal.record([(picture, refusal)])
                self.counts.outcomes["failed"] += 1
            elif self.existing and self.existing.has(picture):
                self.counts.existing += 1
            else:
                yield picture

    def _refusal(self, picture: Picture) -> Outcome | None:
        """The outcome of a picture whose key the contract refuses, which is not sent."""
        if picture.file is not None:
            return None
        try:
            request_for(picture, self.options)
        except ValidationError as exc:
            problem = exc.errors()[0]["msg"].removeprefix("Value error, ")
            return Outcome("failed", "invalid_request", message=f"the key {problem}")
        return None
