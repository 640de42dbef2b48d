"""The loop of a backfill: takes pictures from the source, keeps requests in flight, and records the outcomes."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import ValidationError

from backfill.errors import TargetFailed
from backfill.existing import Existing, list_existing, names_by, pages, request_for
from backfill.journal import Journal, Outcome
from backfill.pictures import Picture
from backfill.sources import Source

logger = logging.getLogger(__name__)

# So many pictures in a row that fail for reasons of the target end a run: it is down, or the wrong one.
MOST_FAILURES_IN_A_ROW = 10
MOST_MISSING_AT_FIRST = 20
_TICK_S = 0.5


class Target(Protocol):
    """Where requests go; `batch` is the number of pictures per call of `send`."""

    @property
    def batch(self) -> int: ...

    def send(self, pictures: list[Picture]) -> list[Outcome | None]:
        """The outcome of each picture, None for one that was not sent; raises TargetFailed if all would fail."""
        ...


@dataclass
class Counts:
    """What this run did; `listed` are the pictures that the source has named so far."""

    listed: int = 0
    others: int = 0
    journaled: int = 0
    existing: int = 0
    results: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass
class Run:
    """One run of a job, until everything is done or `stopping` is set.

    `existing` is what has a result already; `learns` finds it out by the first answer. `tick` is called often, for the
    progress.
    """

    source: Source
    target: Target
    journal: Journal
    options: Mapping[str, Any]
    concurrency: int
    stopping: threading.Event
    existing: Existing | None = None
    learns: bool = False
    tick: Callable[[Counts], None] = lambda counts: None
    counts: Counts = field(default_factory=Counts)
    _in_a_row: int = 0

    def go(self) -> None:
        """Send everything that is not done.

        Raises SourceError, JournalError or TargetFailed after the requests in flight have ended and are recorded.
        """
        wanted = pages(self.wanted(), self.target.batch)
        flying: dict[Future[list[Outcome | None]], list[Picture]] = {}
        with ThreadPoolExecutor(self.concurrency) as pool:
            try:
                while True:
                    # The first answer tells which pictures need no request, so the others wait for it.
                    most = 1 if self.learns and not self.counts.outcomes else self.concurrency
                    while len(flying) < most and not self.stopping.is_set() and (page := next(wanted, None)):
                        self.journal.begin(page)
                        flying[pool.submit(self.target.send, page)] = page
                    if not flying:
                        return
                    self._collect(flying)
                    self.tick(self.counts)
            except BaseException:
                self.stopping.set()
                while flying:
                    self._collect(flying, check=False)
                raise

    def _collect(self, flying: dict[Future[list[Outcome | None]], list[Picture]], *, check: bool = True) -> None:
        """Record what has ended; with `check`, raise TargetFailed when going on is useless."""
        ended, _ = wait(flying, timeout=_TICK_S, return_when=FIRST_COMPLETED)
        failure: TargetFailed | None = None
        for future in ended:
            page = flying.pop(future)
            if exc := future.exception():
                if not isinstance(exc, TargetFailed):
                    raise exc
                failure = exc
                continue
            pairs = [(p, o) for p, o in zip(page, future.result(), strict=True) if o is not None]
            self.journal.record(pairs)
            for picture, outcome in pairs:
                self.counts.outcomes[outcome.state] += 1
                if check:
                    failure = self._learn(picture, outcome) or failure
        if failure and check:
            raise failure

    def _learn(self, picture: Picture, outcome: Outcome) -> TargetFailed | None:
        """Draw conclusions from an outcome about the requests to come."""
        self._in_a_row = self._in_a_row + 1 if outcome.state == "later" else 0
        if self._in_a_row >= MOST_FAILURES_IN_A_ROW:
            return TargetFailed(
                f"the last {self._in_a_row} pictures failed, the last one by {outcome.code} ({outcome.message}): "
                "start again when the target works, then it goes on here"
            )
        missing = self.counts.outcomes["failed"]
        if (
            outcome.code == "image_not_found"
            and missing >= MOST_MISSING_AT_FIRST
            and missing == self.counts.outcomes.total()
        ):
            return TargetFailed(
                f"the target finds none of the first {missing} pictures ({outcome.message}): is {self.source.name} in "
                "its INPUT_BUCKET?"
            )
        if self.learns and outcome.state == "done" and outcome.answer is not None:
            self.learns = False
            names = names_by(self.source.bucket, picture, self.options, outcome.answer)
            if names:
                bucket = str(outcome.answer["bucket"])
                self.existing = list_existing(self.journal, self.source, names, bucket, self.options, self.stopping)
            else:
                logger.warning("the keys of results cannot be computed, so only the journal knows what is done")
        return None

    def wanted(self) -> Iterator[Picture]:
        """The pictures that need a request."""
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
