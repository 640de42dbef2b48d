"""The objective of a plan, such as "p95<=2s,errors<=0.1%"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from planner.errors import ObjectiveError
from planner.plan.types import Figures

MOST_PARTS = 10
TIMES = ("p50", "p95", "p99")
SHARES = ("errors", "cold")
FORM = "write e.g. p95<=2s,errors<=0.1%: p50, p95, p99 in s or ms; errors, cold in %; usd without a unit"
_PART = re.compile(r"\s*([a-z0-9]+)\s*<=\s*([0-9.]+)\s*(ms|s|%|)\s*")
_UNITS = {**dict.fromkeys(TIMES, ("s", "ms")), **dict.fromkeys(SHARES, ("%",)), "usd": ("",)}


@dataclass(frozen=True)
class Limit:
    """One part of an objective: the figure must be at most `most`, in seconds, as a share or in US dollars a month."""

    name: str
    most: float
    text: str


@dataclass(frozen=True)
class Objective:
    """Several limits that all must hold."""

    limits: tuple[Limit, ...]

    def __str__(self) -> str:
        return ",".join(limit.text for limit in self.limits)

    @property
    def most_errors(self) -> float:
        """The largest share of errors that is allowed; 1 without a limit."""
        return min((one.most for one in self.limits if one.name == "errors"), default=1.0)

    def may_meet(self, figures: Figures) -> bool:
        """Whether the lowest of each figure's range meets the objective."""
        return self._holds(values_of(figures, "low"))

    def surely_meets(self, figures: Figures) -> bool:
        """Whether the highest of each figure's range meets the objective."""
        return self._holds(values_of(figures, "high"))

    def _holds(self, values: Mapping[str, float]) -> bool:
        return all(values[one.name] <= one.most for one in self.limits)

    def misses(self, figures: Figures) -> tuple[str, ...]:
        """The limits that the figures exceed, each with the figure; a figure that is unknown exceeds its limit.

        The expected value decides, not the end of its range.
        """
        values = values_of(figures)
        return tuple(_shown(one, values[one.name]) for one in self.limits if not values[one.name] <= one.most)

    def distance(self, figures: Figures) -> float:
        """How far the figures are from meeting the objective: the largest excess, relative to its limit."""
        values = values_of(figures)
        return max((_excess(values[one.name], one.most) for one in self.limits), default=0.0)


def parse_objective(text: str) -> Objective:
    """Read an objective; raises ObjectiveError."""
    parts = text.split(",")
    if len(parts) > MOST_PARTS:
        raise ObjectiveError(f"the objective has {len(parts)} parts; the most is {MOST_PARTS}")
    limits = tuple(_limit(part) for part in parts)
    names = [limit.name for limit in limits]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ObjectiveError(f"the objective has {twice[0]} twice: give one limit for each figure")
    return Objective(limits)


def values_of(figures: Figures, end: Literal["value", "low", "high"] = "value") -> Mapping[str, float]:
    """The expected value of each figure that an objective may name, or an end of its range."""
    named = {
        "p50": figures.p50_s, "p95": figures.p95_s, "p99": figures.p99_s, "errors": figures.errors,
        "cold": figures.cold, "usd": figures.usd,
    }  # fmt: skip
    return {name: getattr(estimate, end) if estimate else math.nan for name, estimate in named.items()}


def _limit(part: str) -> Limit:
    found = _PART.fullmatch(part)
    shown = repr(part.strip()[:40])
    if not found:
        raise ObjectiveError(f"{shown} is not a part of an objective: {FORM}")
    name, number, unit = found.groups()
    if name not in _UNITS:
        raise ObjectiveError(f"{shown}: there is no figure {name}: take one of {', '.join(_UNITS)}")
    if unit not in _UNITS[name]:
        raise ObjectiveError(f"{shown}: {FORM}")
    try:
        value = float(number)
    except ValueError:
        raise ObjectiveError(f"{shown}: {number} is not a number") from None
    most = value / {"ms": 1000, "%": 100}.get(unit, 1)
    if (name in TIMES or name == "usd") and not most > 0:
        raise ObjectiveError(f"{shown}: the limit must be above 0")
    if name in SHARES and not most <= 1:
        raise ObjectiveError(f"{shown}: the limit must be at most 100%")
    return Limit(name, most, f"{name}<={number}{unit}")


def _shown(limit: Limit, value: float) -> str:
    """The figure with its limit, e.g. "p95 2.5 s > 2 s"."""
    if math.isnan(value):
        return f"{limit.name}, which is unknown"
    if limit.name in TIMES:
        return f"{limit.name} {value:.3g} s > {limit.most:g} s"
    if limit.name in SHARES:
        return f"{limit.name} {100 * value:.3g}% > {100 * limit.most:g}%"
    return f"usd {value:.2f} > {limit.most:g}"


def _excess(value: float, most: float) -> float:
    if math.isnan(value):
        return math.inf
    if value <= most:
        return 0.0
    return value / most - 1 if most else math.inf
