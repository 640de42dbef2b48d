"""The share of time that a backfill keeps the engine busy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.backfill import GOAL, PREFIX, run_once, to_markdown
from local.s3 import LocalS3
from tests.backfill.target import Target, answer
from tests.conftest import upload

ABOUT = {"machine": "2 cores, a", "matrix_instructions": [], "date": "2026-11-25", "commit": "abc", "rounds": 2,
         "command": "python -m bench.backfill"}  # fmt: skip


@pytest.mark.parametrize(("share", "verdict"), [(0.96, "reaches"), (0.9, "does not reach")])
def test_the_page_has_a_row_for_each_concurrency_and_a_verdict(share: float, verdict: str) -> None:
    runs = {"1": [{"busy": 0.5, "per_s": 1.0}] * 2, "4": [{"busy": share, "per_s": 1.2}] * 2}
    page = to_markdown({"about": ABOUT, "variant": "yolov7-w6", "pictures": 40, "runs": runs})
    assert "| 1 | 50.0 [50.0, 50.0] | 1.000 [1.000, 1.000] |" in page
    assert f"The default, 4 requests in flight, {verdict} the goal of {GOAL:.0%}: {share:.1%}." in page


def test_the_busy_share_is_the_detect_time_over_the_time_of_the_run(
    s3: LocalS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    for number in range(3):
        upload(s3, f"{PREFIX}{number}.jpg", b"1")
    target = Target()
    timed = answer(timings_ms={"detect": 100.0, "total": 100.0})
    target.reply = lambda *_: (200, {}, json.dumps(timed).encode())
    figures = run_once(target.url, 1, tmp_path / "journal.sqlite")
    target.close()
    assert len(target.asked) == 3
    assert figures["busy"] == pytest.approx(0.1 * figures["per_s"], rel=0.01)
