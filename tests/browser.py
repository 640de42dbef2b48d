"""A page in a real browser, with what it logs and loads."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

BROWSERS = ("chromium", "google-chrome", "chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]


@dataclass
class Opened:
    """A page in the browser, with its console messages and its network requests."""

    page: Page
    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """A browser that is installed on this machine."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.fail(f"no browser: the page is tested in one of {', '.join(BROWSERS)}, e.g. `apt-get install chromium`")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield opened
        opened.close()


def opened(browser: Browser, file: Path, *, width: int = 1280, dark: bool = False) -> Opened:
    """Open the page and wait for its charts."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    found = Opened(tab)
    tab.on("console", lambda message: found.console.append(message.text))
    tab.on("pageerror", lambda error: found.console.append(str(error)))
    tab.on("request", lambda request: found.asked.append(request.url))
    tab.goto(file.as_uri())
    tab.wait_for_selector("html[data-charts=drawn]", timeout=60_000)
    return found
