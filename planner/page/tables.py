"""The table of configurations, and a plan as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from loadtest.report.contents import PLACES
from loadtest.report.figures import NONE, pictures, rate
from loadtest.report.markdown import escaped, line
from loadtest.report.tables import Cell
from loadtest.results.summary import Estimate
from planner.page.answer import answer, cautions
from planner.page.contents import best_of_platforms, objective, settings
from planner.page.figures import Format, between, length, number, percent, usd
from planner.plan.types import Outcome, Plan, Turn

SCHEMA = 2
HEADINGS = [
    "Configuration", "Objective", "USD a month", "p50, s", "p95, s", "p99, s", "Cold starts, %", "Errors, %",
    "Instances",
]  # fmt: skip


TURN_HEADINGS = ["Change", "Cheapest", "USD a month"]


def turn_cells(turn: Turn) -> list[Cell]:
    """The cells of a changed assumption below TURN_HEADINGS; "close" where chance may decide between platforms."""
    price = _estimated(turn.usd, usd) if turn.usd else Cell("no price" if turn.winner else NONE)
    return [Cell(turn.change), Cell(turn.winner or "none", "close" if turn.close else ""), price]


def cells(outcome: Outcome) -> list[Cell]:
    """The cells of a configuration below HEADINGS, each figure with its range."""
    found = outcome.figures
    verdict = Cell("meets") if outcome.meets else Cell("misses", "; ".join(outcome.misses))
    price = _estimated(found.usd, usd) if found.usd else Cell("no price")
    times = [_estimated(one, number) for one in (found.p50_s, found.p95_s, found.p99_s)]
    shares = [_estimated(one, percent) for one in (found.cold, found.errors)]
    return [
        Cell(outcome.label, settings(outcome)), verdict, price, *times, *shares, _estimated(found.instances, number)
    ]  # fmt: skip


def _estimated(estimate: Estimate, text: Format) -> Cell:
    return Cell(text(estimate.value), between(estimate, text)) if math.isfinite(estimate.value) else Cell(NONE)


def role(plan: Plan, outcome: Outcome) -> str:
    """What a configuration is in the decision: "cheapest", "runner-up" or nothing."""
    if plan.best and outcome.label == plan.best.label:
        return "cheapest"
    return "runner-up" if plan.runner_up and outcome.label == plan.runner_up.label else ""


def traffic_facts(plan: Plan) -> list[tuple[str, str]]:
    """The traffic, by the names of its figures."""
    found = plan.traffic
    return [
        ("Traffic", found.name), ("Source", found.source), ("Requests", f"{found.requests:,}"),
        ("Length", length(found.length_s)), ("Requests a month", pictures(found.per_month)),
        ("Requests per second, mean", rate(found.per_s)),
        ("Requests of the busiest minute", f"{found.busiest_minute:,}"),
    ]  # fmt: skip


def measured_facts(plan: Plan) -> list[tuple[str, str]]:
    """The measured runs that the times come from."""
    found = plan.measured
    dates = found.first if found.first == found.last else f"{found.first} to {found.last}"
    return [
        ("Model", found.model), ("Place", PLACES[found.where]), ("Machines", ", ".join(found.machines)),
        ("Processors of the instances", "; ".join(found.processors) or "not recorded"),
        ("Commits", ", ".join(found.commits)), ("Dates", dates), ("Runs", ", ".join(found.runs)),
    ]  # fmt: skip


def to_markdown(plan: Plan, made: str, command: str) -> str:
    """The decision and the tables as one Markdown document, created at the time `made` by `command`."""
    lines = [f"# Plan: {escaped(plan.traffic.name)}", "", f"{escaped(made)}, {escaped(command)}", ""]
    lines += [f"**{sentence.topic}.** {escaped(sentence.text)}\n" for sentence in answer(plan)]
    lines += [f"> {escaped(caution)}\n" for caution in cautions(plan)]
    if plan.turns:
        lines += ["## Under other assumptions", "", line(TURN_HEADINGS), line(["---", "---", "---:"])]
        lines += [*(line(list(map(_text, turn_cells(turn)))) for turn in plan.turns), ""]
    lines += ["## Configurations", "", f"Objective: {escaped(objective(plan.objective))}.", ""]
    lines += [line(HEADINGS), line(["---", "---", *["---:"] * (len(HEADINGS) - 2)])]
    lines += [line(_texts(plan, outcome)) for outcome in plan.outcomes]
    lines += ["", "## Traffic", "", *(f"- {name}: {escaped(value)}" for name, value in traffic_facts(plan))]
    lines += ["", "## Measured runs", "", *(f"- {name}: {escaped(value)}" for name, value in measured_facts(plan))]
    lines += ["", "## Assumptions", "", line(["Assumption", "Value", "Source"]), line(["---"] * 3)]
    lines += [line([escaped(one.name), escaped(one.value), escaped(one.source)]) for one in plan.assumptions]
    return "\n".join(lines) + "\n"


def _texts(plan: Plan, outcome: Outcome) -> list[str]:
    first, *others = cells(outcome)
    mark = f" **{role(plan, outcome)}**" if role(plan, outcome) else ""
    return [escaped(first.text) + mark, *map(_text, others)]


def _text(cell: Cell) -> str:
    return f"{escaped(cell.text)} ({escaped(cell.small)})" if cell.small else escaped(cell.text)


FIGURES = ("p50_s", "p95_s", "p99_s", "cold", "errors", "instances", "usd")
COLUMNS = [
    "label", "platform", "role", "meets", "misses", "settings",
    *(f"{name}{part}" for name in FIGURES for part in ("", "_low", "_high")), "bill",
]  # fmt: skip


def to_csv(plan: Plan) -> str:
    """One row per configuration, shares from 0 to 1, US dollars a month; unknown values are empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for outcome in plan.outcomes:
        figures = [
            value if value is not None and math.isfinite(value) else None
            for name in FIGURES
            for value in _parts(getattr(outcome.figures, name))
        ]
        about = [outcome.label, outcome.platform, role(plan, outcome), "yes" if outcome.meets else "no"]
        about += ["; ".join(outcome.misses), "; ".join(f"{name}={value}" for name, value in outcome.settings.items())]
        writer.writerow([*about, *figures, "; ".join(f"{part.what}={part.usd:.10g}" for part in outcome.bill)])
    return out.getvalue()


def _parts(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)


def to_json(plan: Plan) -> str:
    """All values of a plan; NaN and infinity become null.

    Slices are those of the best configuration of each platform, as on the page: hundreds of configurations with
    hundreds of slices each would be tens of megabytes.
    """
    drawn = {outcome.label for outcome in best_of_platforms(plan)}
    kept = [one if one.label in drawn else dataclasses.replace(one, slices=()) for one in plan.outcomes]
    content = {
        "schema": SCHEMA,
        "best": plan.best.label if plan.best else None,
        "runner_up": plan.runner_up.label if plan.runner_up else None,
        **_plain(dataclasses.replace(plan, outcomes=kept)),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Sequence):
        return [_plain(one) for one in value]
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
