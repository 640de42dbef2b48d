"""One line of the table of comparisons."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """A figure that is known, its prediction and the error; `limit` is the largest error allowed, None for no limit."""

    source: str
    figure: str
    expected: float
    predicted: float
    error: float
    limit: float | None
    unit: str
