"""One browser for all tests of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from local.browser import launched
from local.doors import LocalService
from tests.serving.page.browsing import Tried, tried


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


@pytest.fixture
def page(browser: Browser, service: LocalService) -> Iterator[Tried]:
    """The page of the service, not yet used."""
    with tried(browser, service) as found:
        yield found
