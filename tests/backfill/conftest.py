"""A target for each test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.backfill.target import Target


@pytest.fixture(autouse=True)
def _loggers_are_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Set the loggers as the command does, whatever the same process did for another test.

    BentoML turns the loggers off that exist already, and OpenVINO's converter sets the root logger to ERROR.
    """
    for name in ("backfill.existing", "backfill.run"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
    caplog.set_level(logging.INFO, "backfill")


@pytest.fixture
def target() -> Iterator[Target]:
    """A running target."""
    running = Target()
    yield running
    running.close()
