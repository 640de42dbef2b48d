"""A plan as one self-contained HTML page, with the frame and the parts of the load test's report."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup, escape

from loadtest.report.html import environment, vega
from loadtest.report.vega import Chart, Looks
from planner.page.answer import answer, cautions
from planner.page.contents import first_and_rest, objective, platforms
from planner.page.pareto import cost_against_p95
from planner.page.tables import HEADINGS, TURN_HEADINGS, cells, measured_facts, role, traffic_facts, turn_cells
from planner.page.timeline import timeline
from planner.page.volume import cost_over_volume, heat_map
from planner.plan.types import Plan

_URL = re.compile(r"https?://[^\s<>\"'()\[\]]*[^\s<>\"'()\[\].,;:]")


def linked(text: str) -> Markup:
    """Text whose web addresses are links."""
    made, end = Markup(""), 0
    for found in _URL.finditer(text):
        made += escape(text[end : found.start()]) + Markup('<a href="{0}">{0}</a>').format(found[0])
        end = found.end()
    return made + escape(text[end:])


_ENVIRONMENT = environment(Path(__file__).parent)
_ENVIRONMENT.filters["linked"] = linked
_ENVIRONMENT.globals |= {
    "cells": cells, "headings": HEADINGS, "role": role, "turn_cells": turn_cells, "turn_headings": TURN_HEADINGS,
}  # fmt: skip


def to_html(plan: Plan, *, made: str, command: str, report: str | None = None) -> str:
    """The page, created at the time `made` by `command`, at most 2 MB.

    `report` is the path of the load test's report on the same runs, relative to this page.
    """
    looks = Looks(platforms(plan))
    costs = [cost_over_volume(plan, looks), cost_against_p95(plan, looks)]
    groups: dict[str, list[Chart]] = {
        "Over time": timeline(plan, looks),
        "Cost": [chart for chart in costs if chart],
    }
    volumes, shapes = heat_map(plan, looks)
    first, rest = first_and_rest(plan)
    drawn = any(groups.values())
    return _ENVIRONMENT.get_template("plan.html.j2").render(
        plan=plan,
        title=f"Plan: {plan.traffic.name}",
        made=made,
        command=command,
        report=report,
        sentences=answer(plan),
        cautions=cautions(plan),
        objective=objective(plan.objective),
        first=first,
        rest=rest,
        left_out=len(plan.outcomes) - len(first) - len(rest),
        groups=groups,
        volumes=volumes,
        shapes=shapes,
        close=any(cell.close for _, row in shapes for cell in row),
        traffic=traffic_facts(plan),
        measured=measured_facts(plan),
        vega=vega() if drawn else "",
    )
