"""Formatting of numbers: at most four significant digits, and a dash for a missing value."""

from __future__ import annotations

import math
from collections.abc import Mapping

from loadtest.results.summary import Estimate

NONE = "–"


def significant(value: float, digits: int = 3) -> str:
    """A number with `digits` significant digits, a comma between thousands and no trailing zeros after the point."""
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{round(value, decimals):,.{max(0, decimals)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def ms(value: float | None) -> str:
    """Milliseconds: one decimal below 100, none above."""
    if value is None:
        return NONE
    return f"{value:.1f}" if round(value, 1) < 100 else significant(round(value), 4)


def interval(estimate: Estimate) -> str:
    """A confidence interval of milliseconds, in brackets."""
    return f"[{ms(estimate.low)}, {ms(estimate.high)}]"


def rate(value: float | None) -> str:
    """Requests per second."""
    return NONE if value is None else significant(value)


def usd(value: float | None) -> str:
    """US dollars: with cents below 100, without above; amounts below 10 cents have two significant digits."""
    if value is None:
        return NONE
    if 0 < abs(value) < 0.1:
        return f"${significant(value, 2)}"
    return f"${value:.2f}" if round(abs(value), 2) < 100 else f"${significant(round(value), 4)}"


def pictures(value: float | None) -> str:
    """A number of pictures, with words from a million upwards."""
    if value is None:
        return NONE
    # Rounded first: 999,999 is a million, not 1,000,000.
    rounded = round(value, 2 - math.floor(math.log10(value))) if value > 0 else 0
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if rounded >= size:
            return f"{significant(rounded / size)} {word}"
    return significant(rounded)


def share(part: float, whole: float) -> str:
    """A part of a whole as a percentage; only an empty part is 0% and only the whole is 100%."""
    if not whole:
        return NONE
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1%"
    if 99.5 <= percent < 100:
        return ">99%"
    return f"{percent:.1f}%" if 0 < percent < 9.95 else f"{percent:.0f}%"


def duration(seconds: float) -> str:
    """A duration in seconds, minutes or hours."""
    if seconds < 60:
        return f"{significant(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def processors(counts: Mapping[str, int]) -> str:
    """The processors of a run's instances, each with the number of instances if there are several."""
    if len(counts) < 2:
        return "".join(counts) or "not recorded"
    return "; ".join(f"{name} ({count} instance{'' if count == 1 else 's'})" for name, count in counts.items())


def size(count: float) -> str:
    """A number of bytes in B, kB or MB; a kB has 1000 bytes."""
    for unit, factor in (("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{significant(count / factor)} {unit}"
    return f"{count:.0f} B"
