"""A comparison of one predicted figure with its true value, and the table of many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = ("source", "figure", "expected", "predicted", "unit", "error", "limit", "")


@dataclass(frozen=True)
class Comparison:
    """One figure. `error` and `limit` are shares, e.g. 0.01 for 1%, or in `unit` if `absolute`; without a limit the
    figure is only reported.

    `expected` and `predicted` are NaN where the figure is itself a mean of errors.
    """

    source: str
    figure: str
    expected: float
    predicted: float
    error: float
    limit: float | None
    unit: str
    absolute: bool = False

    @property
    def exceeded(self) -> bool:
        """Whether the error exceeds its limit, or is not a number."""
        return self.limit is not None and not abs(self.error) <= self.limit


def compared(
    source: str, figure: str, expected: float, predicted: float, *, limit: float | None = None, unit: str = ""
) -> Comparison:
    """A comparison whose error is relative to the expected value, with its sign."""
    error = (predicted - expected) / expected if expected else math.copysign(math.inf, predicted) if predicted else 0.0
    return Comparison(source, figure, expected, predicted, error, limit, unit)


def mean_error(source: str, figure: str, parts: Sequence[Comparison], *, limit: float | None = None) -> Comparison:
    """The mean absolute error of several comparisons."""
    error = sum(abs(part.error) for part in parts) / len(parts)
    return Comparison(source, figure, math.nan, math.nan, error, limit, "")


def to_text(comparisons: Sequence[Comparison]) -> str:
    """A table with one line per comparison; a line that ends in TOO LARGE exceeds its limit."""
    rows = [COLUMNS, *(_cells(one) for one in comparisons)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    # The first two columns and the unit are words, which begin at the left.
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 1, 4, 7) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _cells(one: Comparison) -> tuple[str, ...]:
    sign = "" if math.isnan(one.expected) else "+"
    error = f"{one.error:{sign}.2f} {one.unit}" if one.absolute else f"{one.error:{sign}.2%}"
    limit = "" if one.limit is None else f"{one.limit:g} {one.unit}" if one.absolute else f"{one.limit:.1%}"
    return (
        one.source, one.figure, _number(one.expected), _number(one.predicted), one.unit, error,
        limit, "TOO LARGE" if one.exceeded else "",
    )  # fmt: skip


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.5g}"
