"""A browser of this machine, without a window, for tests and benchmarks of the pages."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from local.errors import StartError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium", "google-chrome", "chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """A browser that is installed on this machine; raises StartError without one."""
    from playwright.sync_api import sync_playwright  # Only developers have it.

    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        raise StartError(f"no browser: install one of {', '.join(BROWSERS)}, e.g. `apt-get install chromium`")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield opened
        opened.close()
