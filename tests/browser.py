"""A page in a real browser, with what it logs and loads."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page


@dataclass
class Opened:
    """A page in the browser, with its console messages and its network requests."""

    page: Page
    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


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
