"""Figures of a plan as text: each with its range, and a dash for a missing one."""

from __future__ import annotations

import math
from collections.abc import Callable

from loadtest.report import figures
from loadtest.report.figures import NONE, significant
from loadtest.results.summary import Estimate

Format = Callable[[float], str]


def known(value: float | None) -> float | None:
    """A finite number with four significant digits; None for any other."""
    return float(f"{value:.4g}") if value is not None and math.isfinite(value) else None


def number(value: float) -> str:
    """A number with three significant digits."""
    return significant(value) if math.isfinite(value) else NONE


def percent(share: float) -> str:
    """A share as a percentage without its sign; only nothing is 0, and only the whole is 100."""
    if not math.isfinite(share):
        return NONE
    text = significant(100 * share, 2 if share < 0.99 else 4)
    return ">99.99" if text == "100" and share < 1 else text


def usd(value: float) -> str:
    """US dollars."""
    return figures.usd(value) if math.isfinite(value) else NONE


def between(estimate: Estimate, text: Format) -> str:
    """The range of a figure, e.g. "1.18 to 1.25"; empty for a missing figure."""
    if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
        return ""
    return f"{text(estimate.low)} to {text(estimate.high)}"


def _ranged(estimate: Estimate, text: Format, unit: str) -> str:
    if not math.isfinite(estimate.value):
        return NONE
    inside = between(estimate, text) or "range unknown"
    return f"{text(estimate.value)}{unit} ({inside})"


def seconds(estimate: Estimate) -> str:
    """Seconds, e.g. "1.21 s (1.18 to 1.25)"."""
    return _ranged(estimate, number, " s")


def share(estimate: Estimate) -> str:
    """A percentage, e.g. "0.4% (0.3 to 0.5)"."""
    return _ranged(estimate, percent, "%")


def monthly(estimate: Estimate | None) -> str:
    """A monthly bill, e.g. "$41.20 a month ($40.10 to $43.00)"."""
    return _ranged(estimate, usd, " a month") if estimate else "no price"


def length(seconds: float) -> str:
    """A time span; days from two days on."""
    if seconds >= 2 * 86400:
        return f"{significant(seconds / 86400)} days"
    return figures.duration(seconds).removesuffix(" 0 s").removesuffix(" 0 min")
