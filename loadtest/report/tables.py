"""The figures as Markdown, CSV and JSON, and the rows of the table that compares runs."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from loadtest.platforms.settings import Settings
from loadtest.report.answer import answer
from loadtest.report.charts import ALL_STEPS
from loadtest.report.contents import TITLE, Report, Section, sections
from loadtest.report.figures import NONE, interval, ms, pictures, rate, share, usd
from loadtest.report.markdown import escaped, line
from loadtest.results.summary import CostComparison, Estimate, Latency, Skipped, Summary

SCHEMA = 1
UNITS = "milliseconds, [95% confidence interval]; max of N: N answers are too few for the percentile"
Field = str | int | float | None
Column = Callable[[Summary], Field]


@dataclass(frozen=True)
class Cell:
    """A cell of the table that compares runs: its text, and a small addition."""

    text: str
    small: str = ""


def comparison(runs: Sequence[Summary]) -> tuple[list[str], list[list[Cell]]]:
    """Headings and one row per run of one profile; times in milliseconds, rates per second."""
    opened = any(run.run.mode == "open" for run in runs)
    headings = ["Platform", "Requests", "Errors", "p50", "p95", "p99", "Max", "Warm p50", "Cold p50", "Answered per s"]
    headings += ["Offered per s", "Corrected p95"] if opened else []
    return [*headings, "Notes"], [_cells(run, opened) for run in runs]


def _cells(run: Summary, opened: bool) -> list[Cell]:
    every, warm, cold, corrected = run.all, run.warm, run.cold, run.corrected
    cells = [
        Cell(run.run.label, run.run.name),
        Cell(f"{run.requests:,}"),
        Cell(share(run.failed, run.requests)),
        _percentile(every, "p50"),
        _percentile(every, "p95"),
        _percentile(every, "p99", bounds=False),
        Cell(ms(every.max if every else None)),
        _percentile(warm, "p50", bounds=False),
        Cell(ms(cold.p50.value), f"{cold.count:,} cold") if cold else Cell(NONE, "0 cold" if run.knows_cold else ""),
        Cell(rate(run.throughput_per_s)),
    ]
    if opened:
        cells += [Cell(rate(run.offered_per_s)), _percentile(corrected, "p95")]
    return [*cells, Cell(_notes(run))]


def _percentile(latency: Latency | None, name: str, *, bounds: bool = True) -> Cell:
    """A percentile with its interval, and a word if its answers are too few."""
    if latency is None:
        return Cell(NONE)
    estimate: Estimate = getattr(latency, name)
    few = f"max of {latency.count:,}" if name in latency.too_few else ""
    return Cell(ms(estimate.value), " ".join(filter(None, (interval(estimate) if bounds else "", few))))


def _notes(run: Summary) -> str:
    warned = f"{len(run.warnings)} warning{'s' * (len(run.warnings) != 1)}" if run.warnings else ""
    return ", ".join(part for part in (run.run.status if run.run.status != "finished" else "", warned) if part)


def to_markdown(runs: Sequence[Summary], skipped: Sequence[Skipped], costs: Sequence[CostComparison]) -> str:
    """The summary and the tables, as one Markdown document."""
    lines = [f"# {TITLE}"]
    divided = sections(Report(runs, skipped, costs))
    if not divided:
        lines += ["", "No runs: there is nothing to compare yet."]
    for section in divided:
        lines += _section(section)
    if skipped:
        lines += ["", "## Skipped runs", "", *(f"- {escaped(run.name)}: {escaped(run.reason)}" for run in skipped)]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> list[str]:
    lines = ["", f"## {escaped(section.model)}: {section.place}", ""]
    lines += [f"**{sentence.topic}.** {escaped(sentence.text)}\n" for sentence in answer(section)]
    lines += [f"> {escaped(caution)}\n" for caution in section.cautions]
    for profile, runs in section.profiles.items():
        headings, rows = comparison(runs)
        lines += [
            f"### {escaped(profile)}: {section.place}",
            "",
            f"{escaped(runs[0].run.question)} Times in {escaped(UNITS)}.",
            "",
        ]
        lines += [line(headings), line(["---", *(["---:"] * (len(headings) - 2)), "---"])]
        lines += [line([f"{escaped(cell.text)} {escaped(cell.small)}".strip() for cell in row]) for row in rows]
        lines += ["", *(f"- {escaped(run.run.name)}: {escaped(said)}" for run in runs for said in _said(run)), ""]
    for cost in section.costs:
        lines += _cost(cost)
    return lines


def _said(run: Summary) -> list[str]:
    """The warnings of a run, and its errors by code."""
    errors = ", ".join(f"{count:,} {code}" for code, count in run.errors.items())
    return [*run.warnings, *([f"errors: {errors}"] if errors else [])]


def _cost(cost: CostComparison) -> list[str]:
    lines = [
        "### Cost",
        "",
        line(["Platform", "USD per 1,000 pictures", "Fixed USD a month", "Pictures a month of one instance"]),
    ]
    lines += [line(["---", "---:", "---:", "---:"])]
    for option in cost.options:
        capacity = pictures(option.capacity_per_month) if option.capacity_per_month else NONE
        lines.append(line([escaped(option.label), usd(option.usd_per_1000), usd(option.fixed_usd_per_month), capacity]))
    lines += [
        "",
        *(f"- {escaped(option.label)}: {escaped(said)}" for option in cost.options for said in option.assumptions),
    ]
    return [*lines, *(f"- {escaped(warning)}" for warning in cost.warnings)]


def to_csv(runs: Sequence[Summary]) -> str:
    """One row per run, units in the column names; values that were not measured are empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in sorted(runs, key=lambda run: run.run.name):
        writer.writerow([value(run) for value in COLUMNS.values()])
    return out.getvalue()


def _latency_columns(prefix: str, latency_of: Callable[[Summary], Latency | None]) -> dict[str, Column]:
    """The columns of one latency of a summary."""
    values: dict[str, Callable[[Latency], Field]] = {"count": attrgetter("count"), "max_ms": attrgetter("max")}
    for name in ("mean", "p50", "p90", "p95", "p99"):
        values[f"{name}_ms"] = attrgetter(f"{name}.value")
    for name in ("p50", "p95"):
        values |= {f"{name}_low_ms": attrgetter(f"{name}.low"), f"{name}_high_ms": attrgetter(f"{name}.high")}
    values["too_few"] = lambda latency: " ".join(latency.too_few)

    def column(value: Callable[[Latency], Field]) -> Column:
        return lambda run: value(latency) if (latency := latency_of(run)) else None

    return {f"{prefix}{name}": column(value) for name, value in values.items()}


def _step_column(step: str) -> Column:
    return lambda run: run.steps_ms.get(step)


COLUMNS: dict[str, Column] = {
    "run": lambda run: run.run.name,
    "where": lambda run: run.run.where,
    "platform": lambda run: run.run.platform,
    "label": lambda run: run.run.label,
    "model": lambda run: run.run.model,
    "profile": lambda run: run.run.profile,
    "mode": lambda run: run.run.mode,
    "status": lambda run: run.run.status,
    "started": lambda run: run.run.started,
    "commit": lambda run: run.run.commit,
    "duration_s": lambda run: run.duration_s,
    "requests": lambda run: run.requests,
    "answered": lambda run: run.answered,
    "errors": lambda run: run.failed,
    "error_percent": lambda run: 100 * run.failed / run.requests if run.requests else None,
    "throughput_per_s": lambda run: run.throughput_per_s,
    "offered_per_s": lambda run: run.offered_per_s,
    **_latency_columns("", lambda run: run.all),
    **_latency_columns("warm_", lambda run: run.warm),
    **_latency_columns("cold_", lambda run: run.cold),
    **_latency_columns("corrected_", lambda run: run.corrected),
    **{f"{step}_mean_ms": _step_column(step) for step in ALL_STEPS},
    "billed_ms": lambda run: run.billed_ms,
    "lag_p95_ms": lambda run: run.lag_ms,
    "instances": lambda run: run.instances,
    "answer_bytes": lambda run: run.answer_bytes,
    "warnings": lambda run: "; ".join(run.warnings),
}


def to_json(runs: Sequence[Summary], skipped: Sequence[Skipped], costs: Sequence[CostComparison]) -> str:
    """All values of all runs, with sorted keys and the runs in the order of their names."""
    content = {
        "schema": SCHEMA,
        "runs": [dataclasses.asdict(run) for run in sorted(runs, key=lambda run: run.run.name)],
        "skipped": [dataclasses.asdict(run) for run in sorted(skipped, key=lambda run: run.name)],
        "costs": [dataclasses.asdict(cost) for cost in sorted(costs, key=lambda cost: (cost.where, cost.model))],
    }
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def _plain(value: object) -> dict[str, Any]:
    """The JSON of a value that is not a dataclass."""
    if isinstance(value, Settings):
        return value.given
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
