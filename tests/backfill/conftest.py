"""A target for each test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.backfill.target import Target


@pytest.fixture(autouse=True)
def _loggers_are_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """BentoML, which the same process may import for another test, turns the loggers off that exist already."""
    for name in ("backfill.existing", "backfill.run"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)


@pytest.fixture
def target() -> Iterator[Target]:
    """A running target."""
    running = Target()
    yield running
    running.close()
