"""The loop of a backfill: takes pictures from the source, keeps requests in flight, and records the outcomes."""

from __future__ import annotations

import logging
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from backfill.errors import TargetFailed
from backfill.existing import list_existing, names_by, pages
from backfill.journal import Outcome
from backfill.pictures import Picture
from backfill.selection import Selection

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
class Run:
    """One run of a job, until everything that is selected is done or the selection's `stopping` is set.

    `learns` finds out by the first answer which pictures have a result already.
    """

    selection: Selection
    target: Target
    concurrency: int
    learns: bool = False
    _in_a_row: int = 0

    def go(self) -> None:
        """Send everything that is not done.

        Raises SourceError, JournalError or TargetFailed after the requests in flight have ended and are recorded.
        """
        chosen = self.selection
        wanted = pages(chosen.pictures(), self.target.batch)
        flying: dict[Future[list[Outcome | None]], list[Picture]] = {}
        with ThreadPoolExecutor(self.concurrency) as pool:
            try:
                while True:
                    # The first answer tells which pictures need no request, so the others wait for it.
                    most = 1 if self.learns and not chosen.counts.outcomes else self.concurrency
                    while len(flying) < most and not chosen.stopping.is_set() and (page := next(wanted, None)):
                        chosen.journal.begin(page)
                        flying[pool.submit(self.target.send, page)] = page
                    if not flying:
                        return
                    self._collect(flying)
                    chosen.tick(chosen.counts)
            except BaseException:
                chosen.stopping.set()
                while flying:
                    self._collect(flying, check=False)
                raise

    def _collect(self, flying: dict[Future[list[Outcome | None]], list[Picture]], *, check: bool = True) -> None:
        """Record what has ended; with `check`, raise TargetFailed when going on is useless."""
        chosen = self.selection
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
            chosen.journal.record(pairs)
            for picture, outcome in pairs:
                chosen.counts.outcomes[outcome.state] += 1
                if check:
                    failure = self._learn(picture, outcome) or failure
        if failure and check:
            raise failure

    def _learn(self, picture: Picture, outcome: Outcome) -> TargetFailed | None:
        """Draw conclusions from an outcome about the requests to come."""
        chosen = self.selection
        self._in_a_row = self._in_a_row + 1 if outcome.state == "later" else 0
        if self._in_a_row >= MOST_FAILURES_IN_A_ROW:
            return TargetFailed(
                f"the last {self._in_a_row} pictures failed, the last one by {outcome.code} ({outcome.message}): "
                "start again when the target works, then it goes on here"
            )
        missing = chosen.counts.outcomes["failed"]
        if (
            outcome.code == "image_not_found"
            and missing >= MOST_MISSING_AT_FIRST
            and missing == chosen.counts.outcomes.total()
        ):
            return TargetFailed(
                f"the target finds none of the first {missing} pictures ({outcome.message}): "
                f"is {chosen.source.name} in its INPUT_BUCKET?"
            )
        if self.learns and outcome.state == "done" and outcome.answer is not None:
            self.learns = False
            names = names_by(chosen.source.bucket, picture, chosen.options, outcome.answer)
            if names:
                bucket = str(outcome.answer["bucket"])
                chosen.existing = list_existing(
                    chosen.journal, chosen.source, names, bucket, chosen.options, chosen.stopping
                )
            else:
                logger.warning("the keys of results cannot be computed, so only the journal knows what is done")
        return None
