"""The page of peak memory by format."""

from __future__ import annotations

import re

from bench.memory import FORMATS, to_markdown
from local.checkout import ROOT

PAGE = """\
# Memory of a request

Peak memory of whole requests beyond that of an idle process, for pictures of 7000 x 7000 pixels, without S3 and the \
network. 2 cores, commit abc1234.

| format | one request, MB | bytes per pixel | 8 simultaneous requests, MB |
|---|---|---|---|
| JPEG | 295 | 6 | 316 |
| PNG, transparent | 686 | 14 | 771 |
"""


def test_the_page_shows_peaks_and_bytes_per_pixel() -> None:
    peaks = {"JPEG": (295.2, 316.4), "PNG, transparent": (686.0, 770.6)}
    assert to_markdown(peaks, "2 cores, commit abc1234") == PAGE


def test_the_committed_page_is_one_that_its_own_figures_give() -> None:
    page = (ROOT / "bench" / "memory.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (\d+) \| \d+ \| (\d+) \|$", page, re.M)
    measured = page.partition("network. ")[2].partition(".\n")[0]
    assert [name for name, *_ in rows] == list(FORMATS)
    assert page == to_markdown({name: (float(one), float(together)) for name, one, together in rows}, measured)
