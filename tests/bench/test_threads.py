"""The page of threads under quotas."""

from __future__ import annotations

import json

from bench.threads import QUOTAS, to_markdown
from local.checkout import ROOT


def test_the_committed_page_is_that_of_its_figures() -> None:
    figures = json.loads((ROOT / "bench" / "threads.json").read_text())
    page = (ROOT / "bench" / "threads.md").read_text()
    assert page == to_markdown(figures)
    for quota in QUOTAS:
        assert page.count(f"\n| {quota:g} | ") == len(figures["variants"])
