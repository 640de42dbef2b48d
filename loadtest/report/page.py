"""The report as one self-contained HTML page with its styles, its charts and the code that draws them."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.report.answer import answer
from loadtest.report.charts import charts
from loadtest.report.contents import TITLE, Report, sections, series
from loadtest.report.html import environment, vega
from loadtest.report.tables import UNITS, comparison
from loadtest.report.vega import Looks
from loadtest.results.summary import CostComparison, Skipped, Summary

_ENVIRONMENT = environment()


def to_html(
    runs: Sequence[Summary],
    skipped: Sequence[Skipped],
    costs: Sequence[CostComparison],
    *,
    made: str,
    command: str,
    title: str = TITLE,
    plan: str | None = None,
) -> str:
    """The page, created at the time `made` by `command`; it links to the `dashboard` of each run and to a plan.

    `plan` is the path of the plan's page, relative to this one.
    """
    report = Report(runs, skipped, costs)
    looks = Looks(series(report))
    drawn = [(section, answer(section), charts(section, looks)) for section in sections(report)]
    return _ENVIRONMENT.get_template("page.html.j2").render(
        report=report,
        title=title,
        made=made,
        command=command,
        plan=plan,
        sections=drawn,
        comparison=comparison,
        units=UNITS,
        vega=vega() if drawn else "",
    )
