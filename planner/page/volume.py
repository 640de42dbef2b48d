"""The cost by volume: a chart of bills, and the cheapest platform by shape of traffic and volume as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.report.figures import pictures
from loadtest.report.vega import DASHES, Chart, Key, Looks, Row, Spec, chart_spec, nominal, quantity, tooltip
from loadtest.results.summary import Estimate
from planner.page.contents import curves
from planner.page.figures import between, known, usd
from planner.plan.types import CostCurve, Plan

MEETS = {True: "meets", False: "misses"}
CROSS: Spec = {"type": "point", "shape": "cross", "angle": 45, "size": 55, "color": "var(--bad)"}
DOLLARS = "format(datum.value, '$,.2~r')"
COLUMNS = [
    ("label", "Configuration"), ("pictures", "Pictures a month"), ("usd", "USD a month"), ("low", "low"),
    ("high", "high"), ("meets", "Objective"),
]  # fmt: skip


def cost_over_volume(plan: Plan, looks: Looks) -> Chart | None:
    """The monthly bill by volume with its range; crosses mark where the objective is not met."""
    curve, labels = plan.cost_curve, curves(plan)
    platform = {outcome.label: outcome.platform for outcome in plan.outcomes}
    rows = _bills(curve, labels) if curve else []
    if not rows:
        return None
    axes = _axes()
    ranks = {label: [one for one in labels if platform[one] == platform[label]].index(label) for label in labels}
    dash = {label: DASHES[ranks[label] % len(DASHES)] for label in labels}
    place = axes | {"color": nominal("label", labels, [looks.colour(platform[one]) for one in labels])}
    layers: list[Spec] = [
        *_this_volume(plan, [float(row["pictures"] or 0) for row in rows]),
        {
            "mark": {"type": "area", "opacity": 0.18},
            "encoding": place | {"y": axes["y"] | {"field": "low"}, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "line", "strokeWidth": 2.25},
            "encoding": place | {"strokeDash": nominal("label", labels, [dash[label] for label in labels])},
        },
        {
            "mark": {"type": "point", "size": 50, "opacity": 0},
            "encoding": place | {"tooltip": tooltip(COLUMNS, rows)},
        },
        {
            "transform": [{"filter": {"field": "meets", "equal": MEETS[False]}}],
            "mark": CROSS,
            "encoding": axes,
        },
    ]
    keys = [Key(one, "dash", looks.colour(platform[one]), " ".join(map(str, dash[one]))) for one in labels]
    if any(row["meets"] == MEETS[False] for row in rows):
        keys.append(Key("misses the objective", "cross", "var(--bad)"))
    more = len(curve.usd) - len(labels) if curve else 0
    caption = (
        "The best configuration of each platform, and the cheapest of each volume. A band is the range of a bill; "
    )
    caption += "a narrow one is hidden by its line."
    caption += f" {more} more are in the JSON file." if more > 0 else ""
    title = "Monthly cost by volume"
    spec = chart_spec(f"{title}. {_spans(rows)}", rows, layers)
    return Chart(title, caption, spec, COLUMNS, keys)


def _axes() -> Spec:
    x: Spec = {"field": "pictures", "type": "quantitative", "scale": {"type": "log", "nice": False}}
    x["axis"] = {"title": "pictures a month, logarithmic", "format": "~s", "tickCount": 6}
    y = quantity("usd", "USD a month, logarithmic")
    y["scale"] = {"type": "log"}
    y["axis"]["labelExpr"] = DOLLARS
    return {"x": x, "y": y}


def _bills(curve: CostCurve, labels: Sequence[str]) -> list[Row]:
    return [
        {
            "label": label, "pictures": known(volume), "usd": known(bill), "low": known(low), "high": known(high),
            "meets": MEETS[bool(meets)],
        }
        for label in labels
        for volume, bill, low, high, meets in zip(
            curve.pictures_per_month, curve.usd[label], curve.low[label], curve.high[label], curve.meets[label],
            strict=True,
        )
        if volume > 0 and known(bill) and bill > 0
    ]  # fmt: skip


def _spans(rows: Sequence[Row]) -> str:
    of_label: dict[str, list[float]] = {}
    for row in rows:
        of_label.setdefault(str(row["label"]), []).append(float(row["usd"] or 0))
    return "; ".join(f"{label}: {usd(min(bills))} to {usd(max(bills))}" for label, bills in of_label.items()) + "."


def _this_volume(plan: Plan, volumes: Sequence[float]) -> list[Spec]:
    """A vertical line at the volume of the plan's own traffic."""
    own, low, high = plan.traffic.per_month, min(volumes), max(volumes)
    if not low <= own <= high:
        return []
    right = high > low and math.log(own / low) > 0.7 * math.log(high / low)
    x = {"x": {"field": "own", "type": "quantitative"}}
    data = {"values": [{"own": own}]}
    text = {"type": "text", "align": "right" if right else "left", "dx": -6 if right else 6, "color": "var(--muted)"}
    return [
        {"data": data, "mark": {"type": "rule", "color": "var(--line-strong)", "strokeWidth": 1.5}, "encoding": x},
        {"data": data, "mark": text, "encoding": x | {"y": {"value": 268}, "text": {"value": "this traffic"}}},
    ]


@dataclass(frozen=True)
class Cell:
    """A cell of the heat map: the platform in its colour, its bill with the range, and whether chance may decide.

    The platform is empty where nothing meets the objective.
    """

    platform: str
    colour: str
    usd: str
    between: str
    close: bool


def heat_map(plan: Plan, looks: Looks) -> tuple[list[str], list[tuple[str, list[Cell]]]]:
    """Volumes as headings, and a row of cells per shape of traffic."""
    found = plan.heat_map
    if found is None:
        return [], []
    rows = []
    parts = (found.platform, found.usd, found.low, found.high, found.close)
    for shape, titles, bills, lows, highs, close in zip(found.shapes, *parts, strict=True):
        cells = [_cell(looks, *one) for one in zip(titles, bills, lows, highs, close, strict=True)]
        rows.append((shape, cells))
    return [pictures(volume) for volume in found.pictures_per_month], rows


def _cell(
    looks: Looks, title: str | None, bill: float | None, low: float | None, high: float | None, close: bool
) -> Cell:
    if not title or bill is None or low is None or high is None:
        return Cell(title or "", looks.colour(title) if title else "", "", "", close)
    return Cell(title, looks.colour(title), usd(bill), between(Estimate(bill, low, high), usd), close)
