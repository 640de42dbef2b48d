"""The chart of cost against latency: all configurations, and the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Sequence

from loadtest.report.vega import LOG_FROM, Chart, Key, Looks, Row, Spec, chart_spec, quantity, tooltip
from planner.page.contents import limit_s
from planner.page.figures import known, monthly, seconds
from planner.page.timeline import limit_keys, limit_rule
from planner.page.volume import DOLLARS, MEETS
from planner.plan.types import Outcome, Plan

NAME = 24  # Letters of a name that fit beside a mark on a phone.
MOST_SAID = 6  # Configurations in the description of the chart.
COLUMNS = [
    ("label", "Platform"), ("configuration", "Configuration"), ("usd", "USD a month"), ("usd_low", "from"),
    ("usd_high", "to"), ("p95_s", "p95, s"), ("p95_low_s", "from, s"), ("p95_high_s", "to, s"), ("meets", "Objective"),
]  # fmt: skip
HALO: Spec = {"stroke": "var(--surface)", "strokeWidth": 4, "strokeJoin": "round"}


def cost_against_p95(plan: Plan, looks: Looks) -> Chart | None:
    """All configurations by cost and p95, with the Pareto front and the limit of the objective."""
    drawn = [outcome for outcome in plan.outcomes if _has_both(outcome)]
    if not drawn:
        return None
    rows: list[Row] = [_point(outcome) for outcome in drawn]
    limit = limit_s(plan.objective)
    times, bills = [float(row["p95_s"] or 0) for row in rows], [float(row["usd"] or 0) for row in rows]
    y = quantity("p95_s", "p95, s", [*times, limit] if limit else times)
    x = quantity("usd", "USD a month", bills)
    # The axis is a horizontal one, with its title below.
    x["axis"] = {name: value for name, value in x["axis"].items() if name in ("title", "values")} | {
        "labelExpr": DOLLARS
    }
    place: Spec = {"x": x, "y": y}
    look = place | {"tooltip": tooltip(COLUMNS, rows)} | looks.encode(rows, shape=True)
    layers: list[Spec] = [
        *limit_rule(limit, "y"),
        _front(drawn, place),
        _points(look, "meets", {"type": "point", "size": 75}),
        _points(look, "misses", {"type": "point", "size": 55, "filled": False, "strokeWidth": 1.5, "opacity": 0.8}),
        *_named(plan, drawn, place, bills),
    ]
    keys = looks.keys(rows)
    keys += [Key("misses the objective", "hollow")] if any(row["meets"] == "misses" for row in rows) else []
    keys += [Key("Pareto front", "line", "var(--muted)"), *limit_keys(limit)]
    left_out = len(plan.outcomes) - len(drawn)
    caption = "On the Pareto front no other configuration is both cheaper and faster."
    caption += f" {left_out} without a price or without responses are not drawn." if left_out else ""
    title = "Cost and p95 of all configurations"
    return Chart(title, caption, chart_spec(f"{title}. {_said(drawn)}", rows, layers), COLUMNS, keys)


def _has_both(outcome: Outcome) -> bool:
    bill, p95 = outcome.figures.usd, outcome.figures.p95_s.value
    return bill is not None and known(bill.value) is not None and known(p95) is not None


def _point(outcome: Outcome) -> Row:
    bill, p95 = outcome.figures.usd, outcome.figures.p95_s
    assert bill is not None
    return {
        "label": outcome.platform,
        "configuration": outcome.label,
        "usd": known(bill.value),
        "usd_low": known(bill.low),
        "usd_high": known(bill.high),
        "p95_s": known(p95.value),
        "p95_low_s": known(p95.low),
        "p95_high_s": known(p95.high),
        "meets": MEETS[outcome.meets],
    }


def _points(encoding: Spec, which: str, mark: Spec) -> Spec:
    return {"transform": [{"filter": {"field": "meets", "equal": which}}], "mark": mark, "encoding": encoding}


def front(drawn: Sequence[Outcome]) -> list[Outcome]:
    """The Pareto front, the cheapest first: no other configuration is both cheaper and faster."""
    found: list[Outcome] = []
    for outcome in sorted(drawn, key=lambda one: (_bill(one), one.figures.p95_s.value)):
        if not found or outcome.figures.p95_s.value < found[-1].figures.p95_s.value:
            found.append(outcome)
    return found


def _bill(outcome: Outcome) -> float:
    return outcome.figures.usd.value if outcome.figures.usd else math.inf


def _front(drawn: Sequence[Outcome], place: Spec) -> Spec:
    values = [{"usd": known(_bill(one)), "p95_s": known(one.figures.p95_s.value)} for one in front(drawn)]
    line = {"type": "line", "interpolate": "step-after", "color": "var(--muted)", "strokeWidth": 1.5}
    return {"data": {"values": values}, "mark": line, "encoding": place}


def _named(plan: Plan, drawn: Sequence[Outcome], place: Spec, bills: Sequence[float]) -> list[Spec]:
    """Rings around the cheapest configuration and the runner-up, with their names on the side that has room."""
    layers: list[Spec] = []
    for outcome, side in ((plan.best, -14), (plan.runner_up, 16)):
        if outcome is None or outcome not in drawn:
            continue
        row = {"usd": known(_bill(outcome)), "p95_s": known(outcome.figures.p95_s.value), "text": _short(outcome.label)}
        data = {"values": [row]}
        place_x = _position(_bill(outcome), bills)
        align = "left" if place_x < 0.38 else "right" if place_x > 0.62 else "center"
        ring = {"type": "point", "size": 230, "filled": False, "stroke": "var(--ink)", "strokeWidth": 1.5}
        text = {
            "type": "text",
            "align": align,
            "dx": {"left": 10, "right": -10, "center": 0}[align],
            "dy": side,
            "fontWeight": 600,
        }
        layers += [
            {"data": data, "mark": ring, "encoding": place},
            # Below the text its own outline in the colour of the ground, so that no line crosses the letters.
            {"data": data, "mark": text | HALO, "encoding": place | {"text": {"field": "text"}}},
            {"data": data, "mark": text, "encoding": place | {"text": {"field": "text"}}},
        ]
    return layers


def _short(label: str) -> str:
    return label if len(label) <= NAME else f"{label[: NAME - 1]}…"


def _position(bill: float, bills: Sequence[float]) -> float:
    """Where a bill is on the axis, from 0 to 1."""
    low, high = min(bills), max(bills)
    if 0 < LOG_FROM * low < high:
        return math.log(bill / low) / math.log(high / low)
    return bill / high if high else 0.0


def _said(drawn: Sequence[Outcome]) -> str:
    """The Pareto front in words."""
    shown = front(drawn)[:MOST_SAID]
    return (
        "; ".join(f"{one.label}: {monthly(one.figures.usd)}, p95 {seconds(one.figures.p95_s)}" for one in shown) + "."
    )
