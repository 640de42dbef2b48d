"""The parts that all charts share: the type of a chart, pieces of Vega-Lite, colours and shapes.

Colours are the page's CSS variables, which SVG accepts: one chart then suits a light page, a dark page and paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.report.contents import without_place

Row = dict[str, str | int | float | None]
Spec = dict[str, Any]

# The numbers of colours and shapes have no common factor, so 30 platforms have 30 different looks.
COLOURS = 6
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down")
DASHES: tuple[list[int], ...] = ([1, 0], [7, 4], [2, 3], [10, 3, 2, 3])
DASHED = [5, 4]
HEIGHT = 280  # pixels
TICKS = 5
LOG_FROM = 20  # Ratio of the largest to the smallest value from which on an axis is logarithmic.


@dataclass(frozen=True)
class Key:
    """A line of a legend; `kind` is its look: a shape, "fill", "faint", "hollow", "ring", "cross", "line" or "dash"."""

    text: str
    kind: str
    colour: str = "var(--ink)"
    dash: str = ""


@dataclass(frozen=True)
class Chart:
    """One chart: `columns` are the fields of its table with their headings; the rows are the spec's own data."""

    title: str
    caption: str
    spec: Spec
    columns: list[tuple[str, str]]
    legend: list[Key] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        """The data of the chart."""
        rows: list[Row] = self.spec["data"]["values"]
        return rows

    @property
    def description(self) -> str:
        """The chart in words, for screen readers."""
        return str(self.spec["description"])


class Looks:
    """Colour, shape and dash of each platform, the same in every chart and for its local stand-in."""

    def __init__(self, labels: Sequence[str]) -> None:
        order = list(dict.fromkeys(map(without_place, labels)))
        self._numbers = {label: order.index(without_place(label)) for label in labels}

    def colour(self, label: str) -> str:
        """A CSS colour."""
        return f"var(--series-{self._numbers[label] % COLOURS + 1})"

    def shape(self, label: str) -> str:
        """A Vega symbol."""
        return SHAPES[self._numbers[label] % len(SHAPES)]

    def dash(self, label: str) -> list[int]:
        """A dash pattern, pixels."""
        return DASHES[self._numbers[label] % len(DASHES)]

    def of(self, rows: Sequence[Row]) -> list[str]:
        """The labels of some rows, in the order of the report."""
        present = {row["label"] for row in rows}
        return [label for label in self._numbers if label in present]

    def encode(self, rows: Sequence[Row], *, shape: bool = False) -> Spec:
        """The channels that distinguish platforms."""
        labels = self.of(rows)
        channels: Spec = {"color": nominal("label", labels, [self.colour(label) for label in labels])}
        if shape:
            channels["shape"] = nominal("label", labels, [self.shape(label) for label in labels])
        return channels

    def keys(self, rows: Sequence[Row], kind: str = "") -> list[Key]:
        """The legend of the platforms, with their shapes unless another kind is given."""
        labels = self.of(rows)
        return [
            Key(label, kind or self.shape(label), self.colour(label), " ".join(map(str, self.dash(label))))
            for label in labels
        ]


def nominal(name: str, domain: Sequence[str], values: Sequence[Any]) -> Spec:
    """A channel that maps the values of a field; the page draws its own legends."""
    return {
        "field": name,
        "type": "nominal",
        "scale": {"domain": list(domain), "range": list(values)},
        "legend": None,
    }


def tooltip(columns: Sequence[tuple[str, str]], rows: Sequence[Row]) -> list[Spec]:
    """The tooltip: every column, numbers with three digits."""
    numbers = {name for row in rows for name, value in row.items() if isinstance(value, float)}
    return [
        {"field": name, "title": title} | ({"type": "quantitative", "format": ",.3~r"} if name in numbers else {})
        for name, title in columns
    ]


def quantity(name: str, title: str, values: Sequence[float] = (), **more: Any) -> Spec:
    """A vertical axis with its title above it: from zero, or logarithmic if the given values are far apart."""
    scale: Spec = {"zero": True, "nice": TICKS}
    axis: Spec = {"title": title, **ABOVE}
    if values and 0 < LOG_FROM * min(values) < max(values):
        marks = _one_two_five(min(values), max(values))
        scale = {"type": "log", "domain": [marks[0], marks[-1]], "nice": False}
        axis |= {"title": f"{title}, logarithmic", "values": marks}
    return {"field": name, "type": "quantitative", "scale": scale, "axis": axis, **more}


def _one_two_five(low: float, high: float) -> list[float]:
    """The series 1, 2, 5, 10, ..., from at most the lowest value to at least the highest."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    marks = [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]
    below = max(mark for mark in marks if mark <= low)
    above = min(mark for mark in marks if mark >= high)
    return [mark for mark in marks if below <= mark <= above]


ABOVE: Spec = {
    "titleAngle": 0,
    "titleAlign": "left",
    "titleAnchor": "end",
    "titleBaseline": "bottom",
    "titleX": 0,
    "titleY": -10,
    "tickCount": TICKS,
    "labelExpr": "format(datum.value, ',.3~r')",
}


def chart_spec(description: str, rows: Sequence[Row], layers: list[Spec], **more: Any) -> Spec:
    """A complete specification with the page's fonts and colours."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": description,
        "data": {"values": list(rows)},
        "width": "container",
        "height": HEIGHT,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"left": 2, "right": 12, "top": 4, "bottom": 2},
        "layer": layers,
        "config": CONFIG,
        **more,
    }


CONFIG: Spec = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line-strong)",
        "tickColor": "var(--line-strong)",
        "titleFontWeight": "normal",
        "titleFontSize": 12,
        "labelFontSize": 12,
        "labelFontWeight": "normal",
        "titlePadding": 10,
        "labelOverlap": True,
    },
    "axisX": {"grid": False},
    "axisY": {"domain": False, "ticks": False, "labelPadding": 6},
    "text": {"color": "var(--ink)", "fontSize": 12},
    "rule": {"color": "var(--ink)"},
    "point": {"filled": True, "size": 60, "opacity": 1},
}
