"""Charts of whole runs, and all charts of a section: from summaries to Vega-Lite specifications."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.report import picks
from loadtest.report.answer import listed
from loadtest.report.contents import Section
from loadtest.report.figures import ms, pictures, usd
from loadtest.report.phase_charts import described, phase_charts, ring, unsupported
from loadtest.report.vega import Chart, Key, Looks, Row, Spec, chart_spec, nominal, quantity, tooltip
from loadtest.results.summary import CostComparison, Latency, Summary
from serving.contract import STEPS

ALL_STEPS = (*STEPS, "other")
MOMENTS = [
    ("label", "Platform"),
    ("run", "Run"),
    ("at_s", "At, s"),
    ("median_ms", "Median, ms"),
    ("max_ms", "Max, ms"),
    ("requests", "Requests"),
    ("errors", "Errors"),
    ("cold_starts", "Cold starts"),
]
STATES = [
    ("label", "Platform"),
    ("state", "State"),
    ("run", "Run"),
    ("answers", "Answers"),
    ("p50_ms", "p50, ms"),
    ("low_ms", "p50 from, ms"),
    ("high_ms", "p50 to, ms"),
    ("p95_ms", "p95, ms"),
    ("too_few", "Too few for"),
]
# A label breaks at the first space after six letters, so that horizontal labels do not overlap on a phone.
WORDS: Spec = {
    "title": None,
    "labelAngle": 0,
    "labelExpr": "split(replace(datum.label, regexp('^(.{6,}?) '), '$1\\n'), '\\n')",
    "labelOverlap": False,
}


def charts(section: Section, looks: Looks) -> dict[str, list[Chart]]:
    """All charts of one model in one place, by their headings."""
    groups: dict[str, list[Chart | None]] = {}
    for profile, runs in section.profiles.items():
        groups[f"Charts of profile {profile}"] = [_over_time(runs, looks), *phase_charts(runs, looks)]
    whole = [_cold_and_warm(section.runs, looks), _steps(section.runs, looks)]
    groups["Charts across profiles"] = [*whole, *(_monthly(cost, looks) for cost in section.costs)]
    drawn = {heading: [chart for chart in group if chart] for heading, group in groups.items()}
    return {heading: group for heading, group in drawn.items() if group}


def _over_time(runs: Sequence[Summary], looks: Looks) -> Chart | None:
    """Response times of requests, or of slices of time, by their start."""
    rows: list[Row] = [
        {
            "label": run.run.label,
            "run": run.run.name,
            "at_s": round(float(point.at_s), 2),
            "median_ms": round(float(point.median_ms), 1),
            "max_ms": round(float(point.max_ms), 1),
            "requests": point.requests,
            "errors": point.errors,
            "cold_starts": point.cold_starts,
        }
        for run in runs
        for point in run.points
    ]
    if not rows:
        return None
    times = [point.median_ms for run in runs for point in run.points] + [p.max_ms for run in runs for p in run.points]
    x: Spec = {"field": "at_s", "type": "quantitative", "scale": {"nice": False, "padding": 10}}
    x["axis"] = {"title": "seconds since the start of the run", "tickCount": 8}
    place: Spec = {"x": x, "y": quantity("median_ms", "response time, ms", times)}
    reach = place | {"y2": {"field": "max_ms"}} | looks.encode(rows)
    cross = {"type": "point", "shape": "cross", "angle": 45, "size": 90, "color": "var(--bad)"}
    layers: list[Spec] = [
        {"mark": {"type": "rule", "opacity": 0.45}, "encoding": reach},
        {
            "mark": {"type": "point", "size": 42, "opacity": 0.85},
            "encoding": place | {"tooltip": tooltip(MOMENTS, rows)} | looks.encode(rows, shape=True),
        },
    ]
    layers += [ring("cold_starts", place)] if any(row["cold_starts"] for row in rows) else []
    if any(row["errors"] for row in rows):
        layers.append({"transform": [{"filter": {"field": "errors", "gt": 0}}], "mark": cross, "encoding": place})
    title = "Response time over time"
    several = any(point.requests > 1 for run in runs for point in run.points)
    caption = "Each mark is the median of a slice of time; the line above it ends at the maximum." if several else ""
    keys = looks.keys(rows)
    keys += [Key("cold start", "ring")] if any(row["cold_starts"] for row in rows) else []
    keys += [Key("with errors", "cross", "var(--bad)")] if any(row["errors"] for row in rows) else []
    spec = chart_spec(described(title, rows, "median_ms"), rows, layers)
    return Chart(title, caption or "Each mark is one request.", spec, MOMENTS, keys)


def _cold_and_warm(runs: Sequence[Summary], looks: Looks) -> Chart | None:
    """The p50 of warm and of cold answers, side by side per platform."""
    found: list[tuple[str, Summary, Latency]] = []
    found += [("warm", run, run.warm) for run in picks.like_for_like(runs) if run.warm]
    found += [("cold", run, run.cold) for run in picks.coldest(runs).values() if run and run.cold]
    if not any(state == "cold" for state, _, _ in found):
        return None
    rows: list[Row] = [
        {
            "label": run.run.label,
            "run": run.run.name,
            "state": state,
            "answers": latency.count,
            "p50_ms": float(latency.p50.value),
            "low_ms": float(latency.p50.low),
            "high_ms": float(latency.p50.high),
            "p95_ms": float(latency.p95.value),
            "too_few": unsupported(latency),
            "text": ms(latency.p50.value),
        }
        for state, run, latency in found
    ]
    x: Spec = {"field": "label", "type": "nominal", "sort": looks.of(rows), "axis": WORDS}
    place: Spec = {"x": x, "xOffset": {"field": "state", "type": "nominal", "sort": ["warm", "cold"]}}
    fill = nominal("state", ["warm", "cold"], [1, 0.3]) | {"type": "ordinal"}
    bars = place | {"y": quantity("p50_ms", "p50, ms"), "tooltip": tooltip(STATES, rows), "fillOpacity": fill}
    bars |= looks.encode(rows)
    bars["stroke"] = bars["color"]
    whiskers = place | {"y": {"field": "low_ms", "type": "quantitative"}, "y2": {"field": "high_ms"}}
    texts = place | {"y": {"field": "high_ms", "type": "quantitative"}, "text": {"field": "text"}}
    layers: list[Spec] = [
        {"mark": {"type": "bar", "cornerRadiusEnd": 2, "strokeWidth": 1.5}, "encoding": bars},
        {"mark": {"type": "rule", "strokeWidth": 1.5, "color": "var(--whisker)"}, "encoding": whiskers},
        {"mark": {"type": "text", "dy": -9}, "encoding": texts},
    ]
    title = "Cold and warm answers"
    none = [run for run in picks.like_for_like(runs) if picks.coldest(runs)[run.run.label] is None]
    caption = "Bars are medians, lines 95% confidence intervals."
    caption += f" No cold start occurred on {listed(run.run.label for run in none)}." if none else ""
    keys = [*looks.keys(rows, "fill"), Key("warm", "fill"), Key("cold", "faint")]
    return Chart(title, caption, chart_spec(described(title, rows, "p50_ms"), rows, layers), STATES, keys)


def _steps(runs: Sequence[Summary], looks: Looks) -> Chart | None:
    """The steps of a request, stacked."""
    steps = [
        (run.run, i, step, run.steps_ms[step])
        for run in picks.like_for_like(runs)
        for i, step in enumerate(ALL_STEPS)
        if step in run.steps_ms
    ]
    rows: list[Row] = [
        {"label": run.label, "run": run.name, "step": step, "order": i, "mean_ms": float(mean)}
        for run, i, step, mean in steps
    ]
    if not rows:
        return None
    columns = [("label", "Platform"), ("step", "Step"), ("mean_ms", "Mean, ms"), ("run", "Run")]
    encoding: Spec = {
        "x": {"field": "label", "type": "nominal", "sort": looks.of(rows), "axis": WORDS},
        "y": quantity("mean_ms", "mean, ms", stack=True),
        "order": {"field": "order"},
        "color": nominal("step", ALL_STEPS, [f"var(--step-{step})" for step in ALL_STEPS]),
        "tooltip": tooltip(columns, rows),
    }
    bar: Spec = {"type": "bar", "stroke": "var(--surface)", "strokeWidth": 1, "width": {"band": 0.55}}
    present = {row["step"] for row in rows}
    title = "Mean time of each step"
    said = "; ".join(f"{run.label} {step} {ms(mean)} ms" for run, _, step, mean in steps)
    return Chart(
        title,
        "Mean of each step, the first at the bottom; other is the rest of the response: network, gateway, queueing.",
        chart_spec(f"{title}. {said}.", rows, [{"mark": bar, "encoding": encoding}]),
        columns,
        [Key(step, "fill", f"var(--step-{step})") for step in reversed(ALL_STEPS) if step in present],
    )


def _monthly(cost: CostComparison, looks: Looks) -> Chart | None:
    """The monthly cost by pictures a month; diamonds mark break-evens."""
    rows: list[Row] = [
        {"label": label, "pictures": volume, "usd": float(usd_per_month)}
        for label, line in cost.usd_per_month.items()
        for volume, usd_per_month in zip(cost.pictures_per_month, line, strict=True)
        if volume > 0 and usd_per_month > 0
    ]
    if not rows:
        return None
    columns = [("label", "Platform"), ("pictures", "Pictures a month"), ("usd", "USD a month")]
    x: Spec = {"field": "pictures", "type": "quantitative", "scale": {"type": "log"}}
    x["axis"] = {"title": "pictures a month, logarithmic", "format": "~s", "tickCount": 6}
    y = quantity("usd", "USD a month, logarithmic")
    y["scale"] = {"type": "log"}
    y["axis"]["labelExpr"] = "format(datum.value, '$,.2~r')"
    dash = nominal("label", looks.of(rows), [looks.dash(label) for label in looks.of(rows)])
    line = {"x": x, "y": y, "strokeDash": dash} | looks.encode(rows)
    points = {"x": x, "y": y, "tooltip": tooltip(columns, rows)} | looks.encode(rows)
    layers: list[Spec] = [
        {"mark": {"type": "line", "strokeWidth": 2.25}, "encoding": line},
        {"mark": {"type": "point", "size": 50, "opacity": 0}, "encoding": points},
        *_crossings(cost, x, y),
    ]
    title = "Monthly cost"
    evens = [even for even in cost.break_evens if even.pictures_per_month]
    said = "; ".join(
        f"{even.cheaper_above} first becomes cheaper than {even.cheaper_below} at {pictures(even.pictures_per_month)}"
        for even in evens
    )
    caption = f"Pictures a month: {said}." if said else "The lines do not cross: there is no break-even."
    keys = [*looks.keys(rows, "dash"), *([Key("break-even", "break-even")] if evens else [])]
    return Chart(title, caption, chart_spec(f"{title}. {caption}", rows, layers), columns, keys)


def _crossings(cost: CostComparison, x: Spec, y: Spec) -> list[Spec]:
    changes = {volume for _, volume in picks.cheapest(cost)}
    rows: list[Row] = [
        {
            "label": f"{even.cheaper_below} and {even.cheaper_above}",
            "pictures": even.pictures_per_month,
            "usd": float(even.usd_per_month),
            "text": f"{pictures(even.pictures_per_month)}, {usd(even.usd_per_month)}",
            # There is room for text only where the cheapest of all options changes.
            "said": int(even.pictures_per_month in changes),
        }
        for even in cost.break_evens
        if even.pictures_per_month and even.usd_per_month
    ]
    columns = [("label", "Break-even of"), ("pictures", "Pictures a month"), ("usd", "USD a month")]
    place: Spec = {"x": x, "y": y}
    diamond = {"type": "point", "shape": "diamond", "size": 150, "fill": "var(--surface)", "stroke": "var(--ink)"}
    text = {"type": "text", "align": "right", "dx": -12, "dy": -8, "fontWeight": 600}
    if not rows:
        return []
    return [
        {"data": {"values": rows}, "mark": diamond, "encoding": place | {"tooltip": tooltip(columns, rows)}},
        {
            "data": {"values": rows},
            "transform": [{"filter": {"field": "said", "gt": 0}}],
            "mark": text,
            "encoding": place | {"text": {"field": "text"}},
        },
    ]
