"""`python -m bench.paint`: the time to the first contentful paint of the page at `/`, in a browser on this machine."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser

from bench.__main__ import HERE, about
from bench.report import heading
from local.browser import launched
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, local_service
from local.processes import free_port
from local.s3 import local_s3

GOAL_MS = 200.0
MOST_WAITS = 1000  # Of 20 ms each.
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def main(arguments: list[str] | None = None) -> int:
    """Measure and write paint.md; returns 1 if the median misses the goal."""
    parser = argparse.ArgumentParser(prog="python -m bench.paint", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="page loads, each with an empty cache")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of paint.md")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as name,
        local_s3(Path(name) / "s3", INPUT_BUCKET, OUTPUT_BUCKET) as s3,
        local_service(s3, port=free_port(), log=Path(name) / "service.log") as service,
        launched() as browser,
    ):
        times = [first_paint_ms(browser, service.url) for _ in range(options.rounds + 1)][1:]
    page = to_markdown(times, heading(about(options.rounds) | {"command": "python -m bench.paint"}))
    (options.output / "paint.md").write_text(page)
    sys.stdout.write(page)
    return 0 if statistics.median(times) < GOAL_MS else 1


def first_paint_ms(browser: Browser, url: str) -> float:
    """Milliseconds from the start of the navigation to the first contentful paint, with an empty cache.

    Raises RuntimeError if nothing is painted in MOST_WAITS waits.
    """
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(f"{url}/")
    # The page's content security policy forbids Playwright's own waiting, which evaluates text in the page.
    for _ in range(MOST_WAITS):
        if (taken := tab.evaluate(FIRST_PAINT)) is not None:
            context.close()
            return float(taken)
        tab.wait_for_timeout(20)
    raise RuntimeError(f"{url}/ has painted nothing")


def to_markdown(times_ms: Sequence[float], measured: str) -> str:
    """The page: the median and quartiles of the times in milliseconds; `measured` says where and how."""
    low, median, high = statistics.quantiles(times_ms, n=4, method="inclusive")
    return (
        f"# First paint of the page\n\n{measured}. Headless Chromium on the same machine, over loopback, with an empty "
        f"cache for each load.\n\nFirst contentful paint: median {median:.0f} ms [{low:.0f}, {high:.0f}], "
        f"slowest {max(times_ms):.0f} ms; the goal is {GOAL_MS:.0f} ms.\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
