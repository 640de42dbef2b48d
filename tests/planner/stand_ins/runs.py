"""Hand-made runs of `single`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loadtest.profiles import Profile
from planner.stand_ins.singles import Request, Single
from tests.loadtest.results.jtl import record, sample, write_run

FIRST = {"fetch": 0.02, "decode": 0.03, "detect": 0.4, "annotate": 0.05, "store": 0.2, "other": 1.3}
OTHER = {"fetch": 0.01, "decode": 0.02, "detect": 0.3, "annotate": 0.03, "store": 0.02, "other": 0.02}


def single(platform: str = "lambda", *, between_s: float = 0.0, **more: Any) -> Single:
    """A stand-in whose requests all take `OTHER`, the first one `FIRST`."""
    settings = {"memory_mb": 3000} if platform == "lambda" else {}
    run = record("single", platform=platform, settings=settings, **more)
    return Single(run, "m", (Request(**FIRST),), (Request(**OTHER),), between_s)


def profile(**values: Any) -> Profile:
    """A profile of these values."""
    return Profile(name="p", question="q", **values)


def write_single(folder: Path, *, warm: int = 19, first: dict[str, Any] | None = None, **more: Any) -> Path:
    """A folder of a run with one slow request and `warm` others of 100 ms, 5 ms apart."""
    samples = [sample(0, 1000, **{"cold": "true", **(first or {})})]
    samples += [sample(1005 + 105 * number, 100) for number in range(warm)]
    return write_run(folder, samples, record("single", **more))
