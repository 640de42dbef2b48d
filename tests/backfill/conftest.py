"""A target for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backfill.target import Target


@pytest.fixture
def target() -> Iterator[Target]:
    """A running target."""
    running = Target()
    yield running
    running.close()
