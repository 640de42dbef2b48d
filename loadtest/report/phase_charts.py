"""Charts of the phases of a profile: batches, numbers of users, sizes of picture, gaps, rates."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.report.contents import natural
from loadtest.report.figures import NONE, ms
from loadtest.report.vega import DASHED, Chart, Key, Looks, Row, Spec, chart_spec, nominal, quantity, tooltip
from loadtest.results.summary import Latency, PhaseKind, Summary

COLUMNS = [
    ("label", "Platform"),
    ("run", "Run"),
    ("phase", "Phase"),
    ("requests", "Requests"),
    ("errors", "Errors"),
    ("cold_starts", "Cold starts"),
    ("mean_ms", "Mean, ms"),
    ("p50_ms", "p50, ms"),
    ("p95_ms", "p95, ms"),
    ("too_few", "Too few for"),
    ("max_ms", "Max, ms"),
    ("answered_per_s", "Answered per s"),
]


def phase_charts(runs: Sequence[Summary], looks: Looks) -> list[Chart]:
    """The charts for the phases that the runs of one profile have."""
    drawn = [
        _bars("batch", "Mean response time per batch", "mean", runs, looks),
        _users(runs, looks),
        _bars("payload", "Response time by size of picture", "p50", runs, looks),
        _gaps(runs, looks),
        _rates(runs, looks),
    ]
    return [chart for chart in drawn if chart]


def _rows(runs: Sequence[Summary], kind: PhaseKind) -> list[Row]:
    rows: list[Row] = []
    for run in runs:
        for phase in run.phases:
            if phase.kind != kind:
                continue
            row: Row = {"label": run.run.label, "run": run.run.name, "phase": phase.name, "users": phase.users}
            row |= {"requests": phase.requests, "errors": phase.errors, "cold_starts": phase.cold_starts}
            row |= {"answered_per_s": float(phase.throughput_per_s), "offered_per_s": phase.offered_per_s}
            for name in ("mean", "p50", "p95"):
                estimate = getattr(phase.latency, name) if phase.latency else None
                row[f"{name}_ms"] = float(estimate.value) if estimate else None
                row[f"{name}_low_ms"] = estimate.low if estimate else None
                row[f"{name}_high_ms"] = estimate.high if estimate else None
            row["too_few"] = unsupported(phase.latency)
            rows.append(row | {"max_ms": float(phase.latency.max) if phase.latency else None})
    return rows


def unsupported(latency: Latency | None) -> str:
    """The percentiles of a chart's row that too few answers carry, e.g. "p95"; a dash if all are carried."""
    return ", ".join(name for name in ("p50", "p95") if latency and name in latency.too_few) or NONE


def _phases(runs: Sequence[Summary], kind: PhaseKind) -> list[str]:
    """The names of phases in the order in which they were run."""
    at = {phase.name: phase.at_s for run in runs for phase in run.phases if phase.kind == kind}
    return sorted(at, key=lambda name: (at[name], natural(name)))


def described(title: str, rows: Sequence[Row], field: str) -> str:
    """A title with the range of values of each platform, in words."""
    spans = []
    for label in dict.fromkeys(str(row["label"]) for row in rows):
        values = [float(row[field] or 0) for row in rows if row["label"] == label and row[field] is not None]
        if values:
            spans.append(f"{label}: {ms(min(values))} to {ms(max(values))} ms")
    return f"{title}. {'; '.join(spans)}."


def _bars(kind: PhaseKind, title: str, figure: str, runs: Sequence[Summary], looks: Looks) -> Chart | None:
    """Bars per run and phase, with confidence intervals."""
    rows = _rows(runs, kind)
    if not rows:
        return None
    field = f"{figure}_ms"
    place: Spec = {
        "x": {
            "field": "phase",
            "type": "ordinal",
            "sort": _phases(runs, kind),
            "axis": {"title": None, "labelAngle": 0},
        },
        "xOffset": {"field": "run", "type": "nominal", "sort": [run.run.name for run in runs]},
    }
    unit = "mean, ms" if figure == "mean" else f"{figure}, ms"
    bars: Spec = {
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": place | {"y": quantity(field, unit), "tooltip": tooltip(COLUMNS, rows)} | looks.encode(rows),
    }
    whiskers: Spec = {
        "mark": {"type": "rule", "strokeWidth": 1.5, "color": "var(--whisker)"},
        "encoding": place
        | {"y": {"field": f"{figure}_low_ms", "type": "quantitative"}, "y2": {"field": f"{figure}_high_ms"}},
    }
    return Chart(
        title,
        "Lines are 95% confidence intervals.",
        chart_spec(described(title, rows, field), rows, [bars, whiskers]),
        COLUMNS,
        looks.keys(rows, "fill"),
    )


def _users(runs: Sequence[Summary], looks: Looks) -> Chart | None:
    """Mean and maximum response time by the number of users."""
    rows = _rows(runs, "users")
    if not rows:
        return None
    users = sorted({int(row["users"] or 0) for row in rows})
    x: Spec = {"field": "users", "type": "quantitative", "scale": {"domainMin": 0}}
    x["axis"] = {"title": "simultaneous users", "values": users}
    columns = [("users", "Users") if column[0] == "phase" else column for column in COLUMNS]
    layers: list[Spec] = []
    for field, dashes, filled in (("mean_ms", [1, 0], True), ("max_ms", DASHED, False)):
        place = {"x": x, "y": quantity(field, "response time, ms"), "detail": {"field": "run"}}
        layers += [
            {
                "mark": {"type": "line", "strokeWidth": 2, "strokeDash": dashes},
                "encoding": place | looks.encode(rows),
            },
            {
                "mark": {"type": "point", "size": 70, "filled": filled, "strokeWidth": 1.75},
                "encoding": place | {"tooltip": tooltip(columns, rows)} | looks.encode(rows, shape=True),
            },
        ]
    title = "Response time by number of users"
    keys = [*looks.keys(rows), Key("mean", "line", dash="1 0"), Key("longest", "dash", dash="5 4")]
    return Chart(title, "", chart_spec(described(title, rows, "mean_ms"), rows, layers), columns, keys)


def _gaps(runs: Sequence[Summary], looks: Looks) -> Chart | None:
    """Response time after each gap without requests; a ring marks a cold answer."""
    rows = _rows(runs, "gap")
    if not rows:
        return None
    place: Spec = {
        "x": {
            "field": "phase",
            "type": "ordinal",
            "sort": _phases(runs, "gap"),
            "axis": {"title": "minute of the request", "labelAngle": 0},
        },
        "xOffset": {"field": "label", "type": "nominal", "sort": looks.of(rows)},
        "y": quantity("mean_ms", "mean, ms"),
    }
    layers: list[Spec] = [
        {
            "mark": {"type": "point", "size": 90},
            "encoding": place | {"tooltip": tooltip(COLUMNS, rows)} | looks.encode(rows, shape=True),
        },
    ]
    layers += [ring("cold_starts", place)] if any(row["cold_starts"] for row in rows) else []
    cold: dict[str, list[str]] = {}
    for row in rows:
        if row["cold_starts"]:
            cold.setdefault(str(row["label"]), []).append(str(row["phase"]))
    went = [f"{label} at {', '.join(phases)}" for label, phases in cold.items()]
    title = "Response time after a gap"
    caption = f"Cold starts: {'; '.join(went)}." if went else "No gap led to a cold start."
    spec = chart_spec(f"{described(title, rows, 'mean_ms')} {caption}", rows, layers)
    return Chart(title, caption, spec, COLUMNS, [*looks.keys(rows), Key("cold start", "ring")])


def _rates(runs: Sequence[Summary], looks: Looks) -> Chart | None:
    """Throughput by the rate that was offered; on the diagonal both are equal."""
    rows = [row for row in _rows(runs, "rate") if row["offered_per_s"] is not None]
    if len({row["offered_per_s"] for row in rows}) < 2:
        return None
    columns = [("offered_per_s", "Offered per s") if column[0] == "phase" else column for column in COLUMNS]
    x: Spec = {"field": "offered_per_s", "type": "quantitative", "scale": {"zero": True}}
    x["axis"] = {"title": "offered per second", "tickCount": 5}
    place: Spec = {"x": x, "y": quantity("answered_per_s", "answered per second"), "detail": {"field": "run"}}
    diagonal = place | {"y": quantity("offered_per_s", "answered per second")}
    dash = nominal("label", looks.of(rows), [looks.dash(label) for label in looks.of(rows)])
    layers: list[Spec] = [
        {"mark": {"type": "line", "strokeWidth": 10, "color": "var(--line)"}, "encoding": diagonal},
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": place | {"strokeDash": dash} | looks.encode(rows)},
        {
            "mark": {"type": "point", "size": 70},
            "encoding": place | {"tooltip": tooltip(columns, rows)} | looks.encode(rows, shape=True),
        },
    ]
    title = "Answered and offered rate"
    return Chart(
        title,
        "On the broad pale line the throughput equals the offered rate.",
        chart_spec(described(title, rows, "p95_ms"), rows, layers),
        columns,
        looks.keys(rows),
    )


def ring(field: str, place: Spec) -> Spec:
    """A layer with a ring around each mark whose field is above zero."""
    return {
        "transform": [{"filter": {"field": field, "gt": 0}}],
        "mark": {
            "type": "point", "shape": "circle", "size": 260, "filled": False, "stroke": "var(--ink)", "strokeWidth": 1.5
        },
        "encoding": place,
    }  # fmt: skip
