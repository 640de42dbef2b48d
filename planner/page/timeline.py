"""Charts over time: requests, instances, latency, cold starts and errors, one line per platform."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtest.report.vega import Chart, Key, Looks, Row, Spec, chart_spec, nominal, quantity, tooltip
from planner.page.contents import best_of_platforms, limit_s
from planner.page.figures import known, length, number
from planner.plan.types import Outcome, Plan, Slice

MOST_MOMENTS = 150  # Slices of one line; more are merged.
# The longest traffic of each unit in seconds, the unit in seconds, its name.
UNITS = ((180, 1, "seconds"), (10_800, 60, "minutes"), (4 * 86_400, 3600, "hours"), (math.inf, 86_400, "days"))
HEADINGS = {
    "label": "Platform",
    "requests": "Requests",
    "rate": "Requests per s",
    "instances": "Instances",
    "p50_s": "p50, s",
    "p95_s": "p95, s",
    "cold": "Cold starts, %",
    "errors": "Errors, %",
}
HEIGHT = 190  # Pixels.
LEFT = 52  # Pixels for the labels of the vertical axis, the same in all charts, so that their times are aligned.


@dataclass(frozen=True)
class Moment(Slice):
    """One or several slices: counts are sums, percentiles the highest of the slices, instances their mean."""

    width_s: float


def moments(slices: Sequence[Slice], length_s: float) -> list[Moment]:
    """At most MOST_MOMENTS moments of equally many slices, but for the last one."""
    each = max(1, math.ceil(len(slices) / MOST_MOMENTS))
    groups = [slices[i : i + each] for i in range(0, len(slices), each)]
    ends = [group[0].at_s for group in groups[1:]] + [length_s]
    return [_merged(group, end) for group, end in zip(groups, ends, strict=True)]


def _merged(group: Sequence[Slice], end_s: float) -> Moment:
    return Moment(
        at_s=group[0].at_s,
        width_s=end_s - group[0].at_s,
        requests=sum(one.requests for one in group),
        errors=sum(one.errors for one in group),
        cold=sum(one.cold for one in group),
        instances=sum(one.instances for one in group) / len(group),
        p50_s=_highest([one.p50_s for one in group]),
        p95_s=_highest([one.p95_s for one in group]),
    )


def _highest(times: Sequence[float | None]) -> float | None:
    return max((time for time in times if time is not None and math.isfinite(time)), default=None)


@dataclass(frozen=True)
class Timeline:
    """The moments of the best configuration of each platform, and the unit of their common time axis."""

    plan: Plan
    looks: Looks
    of_platform: dict[str, list[Moment]]
    labels: dict[str, str]
    unit_s: float
    unit: str

    def rows(self, values: Callable[[Moment], Row]) -> list[Row]:
        """The rows of a chart."""
        return [
            {"label": platform, "at": known(moment.at_s / self.unit_s), **values(moment)}
            for platform, found in self.of_platform.items()
            for moment in found
        ]

    def x(self) -> Spec:
        """The time axis, the same in all charts."""
        scale = {"domain": [0, self.plan.traffic.simulated_s / self.unit_s], "nice": False}
        axis = {"title": f"{self.unit} since the start", "tickCount": 8}
        return {"field": "at", "type": "quantitative", "scale": scale, "axis": axis}

    def keys(self) -> list[Key]:
        """The legend: configurations with the lines of their platforms."""
        return [
            Key(self.labels[name], "dash", self.looks.colour(name), " ".join(map(str, self.looks.dash(name))))
            for name in self.of_platform
        ]

    def columns(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        """The fields of some rows with their headings."""
        return [(name, f"At, {self.unit}" if name == "at" else HEADINGS[name]) for name in rows[0]]

    def lines(self, rows: Sequence[Row]) -> Spec:
        """The channels of lines: lines that lie on each other stay visible, as each platform has its own dashes."""
        names = list(self.of_platform)
        return self.looks.encode(rows) | {
            "strokeDash": nominal("label", names, [self.looks.dash(name) for name in names])
        }

    def tips(self, place: Spec, rows: Sequence[Row]) -> Spec:
        """Invisible points that carry the tooltips of a line."""
        return {
            "mark": {"type": "point", "size": 50, "opacity": 0},
            "encoding": place | {"tooltip": tooltip(self.columns(rows), rows)},
        }

    def chart(self, title: str, caption: str, rows: list[Row], layers: list[Spec], keys: list[Key]) -> Chart:
        """A chart with a column for each value of the rows."""
        spec = chart_spec(_described(title, rows), rows, layers, height=HEIGHT)
        return Chart(title, caption, spec, self.columns(rows), keys)


def timeline(plan: Plan, looks: Looks) -> list[Chart]:
    """The charts over time of the best configuration of each platform."""
    drawn = [outcome for outcome in best_of_platforms(plan) if outcome.slices]
    if not drawn:
        return []
    unit_s, unit = next((size, name) for most, size, name in UNITS if plan.traffic.simulated_s <= most)
    one = Timeline(plan, looks, _moments(plan, drawn), {o.platform: o.label for o in drawn}, unit_s, unit)
    charts = [_requests(one), _instances(one), _latency(one), _troubles(one)]
    return [chart for chart in charts if chart]


def _moments(plan: Plan, drawn: Sequence[Outcome]) -> dict[str, list[Moment]]:
    return {outcome.platform: moments(outcome.slices, plan.traffic.simulated_s) for outcome in drawn}


def _described(title: str, rows: Sequence[Row]) -> str:
    """A title with the range of the last value of each platform, in words."""
    field = list(rows[0])[-1]
    spans = []
    for label in dict.fromkeys(str(row["label"]) for row in rows):
        values = [float(row[field] or 0) for row in rows if row["label"] == label and row[field] is not None]
        if values:
            spans.append(f"{label}: {number(min(values))} to {number(max(values))}")
    return f"{title}. {'; '.join(spans)}."


def _axis(name: str, title: str, values: Sequence[float] = ()) -> Spec:
    y = quantity(name, title, values)
    y["axis"] |= {"minExtent": LEFT, "maxExtent": LEFT, "tickCount": 4}
    return y


def _requests(one: Timeline) -> Chart:
    """The traffic, which is the same for every platform."""
    found = next(iter(one.of_platform.values()))
    rows: list[Row] = [
        {
            "label": "every platform",
            "at": known(moment.at_s / one.unit_s),
            "requests": moment.requests,
            "rate": known(moment.requests / moment.width_s) if moment.width_s > 0 else None,
        }
        for moment in found
    ]
    place: Spec = {"x": one.x(), "y": _axis("rate", "requests per second")}
    area: Spec = {"type": "area", "interpolate": "step-after", "color": "var(--muted)", "opacity": 0.35}
    layers = [{"mark": area, "encoding": place}, one.tips(place, rows)]
    caption = f"Each step is the mean of {length(found[0].width_s)}."
    return one.chart("Requests", caption, rows, layers, [Key("every platform", "fill", "var(--muted)")])


def _instances(one: Timeline) -> Chart:
    rows = one.rows(lambda moment: {"instances": known(moment.instances)})
    place: Spec = {"x": one.x(), "y": _axis("instances", "instances, tasks or pods")}
    line: Spec = {"type": "line", "interpolate": "step-after", "strokeWidth": 2}
    layers = [{"mark": line, "encoding": place | one.lines(rows)}, one.tips(place, rows)]
    return one.chart("Instances", "", rows, layers, one.keys())


def _latency(one: Timeline) -> Chart:
    """p95 as points and a line, p50 pale, and the limit of the objective."""
    rows = one.rows(lambda moment: {"p50_s": known(moment.p50_s), "p95_s": known(moment.p95_s)})
    limit = limit_s(one.plan.objective)
    times = [float(row[name] or 0) for row in rows for name in ("p50_s", "p95_s") if row[name]]
    y = _axis("p95_s", "response time, s", [*times, limit] if limit else times)
    place: Spec = {"x": one.x(), "y": y}
    tip = {"tooltip": tooltip(one.columns(rows), rows)}
    pale = {"type": "line", "strokeWidth": 1.5, "opacity": 0.4}
    layers: list[Spec] = [
        {"mark": pale, "encoding": place | {"y": y | {"field": "p50_s"}} | one.lines(rows)},
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": place | one.lines(rows)},
        # A slice between slices without requests is a point without a line.
        {"mark": {"type": "point", "size": 10}, "encoding": place | tip | one.looks.encode(rows)},
        *limit_rule(limit, "y"),
    ]
    merged = any(len(outcome.slices) > MOST_MOMENTS for outcome in best_of_platforms(one.plan))
    caption = "Strong lines are p95, pale lines p50."
    caption += " Slices are merged: a point is the highest percentile of its slices." if merged else ""
    return one.chart("Latency", caption, rows, layers, one.keys() + limit_keys(limit))


def _troubles(one: Timeline) -> Chart | None:
    """The shares of cold starts and errors, if there are any."""

    def shares(moment: Moment) -> Row:
        count = moment.requests
        return {
            "cold": known(100 * moment.cold / count) if count else None,
            "errors": known(100 * moment.errors / count) if count else None,
        }

    rows = one.rows(shares)
    if not any(row["cold"] or row["errors"] for row in rows):
        return None
    place: Spec = {"x": one.x(), "y": _axis("cold", "% of the requests")}
    failed = {"x": one.x(), "y": _axis("errors", "% of the requests")}
    layers: list[Spec] = [
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": place | one.lines(rows)},
        one.tips(place, rows),
    ]
    keys = one.keys()
    if any(row["errors"] for row in rows):
        mark = {"type": "point", "shape": "cross", "angle": 45, "size": 60}
        only = [{"filter": {"field": "errors", "gt": 0}}]
        layers.append({"transform": only, "mark": mark, "encoding": failed | one.looks.encode(rows)})
        keys.append(Key("errors", "cross"))
    return one.chart("Cold starts and errors", "Lines are cold starts.", rows, layers, keys)


def limit_rule(limit: float | None, channel: str) -> list[Spec]:
    """A line at the limit of the objective, if there is one."""
    if limit is None:
        return []
    mark = {"type": "rule", "color": "var(--bad)", "strokeWidth": 1.25}
    value = {channel: {"field": "limit", "type": "quantitative"}}
    return [{"data": {"values": [{"limit": limit}]}, "mark": mark, "encoding": value}]


def limit_keys(limit: float | None) -> list[Key]:
    """The legend of that line."""
    return [] if limit is None else [Key(f"limit of p95, {number(limit)} s", "line", "var(--bad)")]
