"""The report as one self-contained HTML page with its styles, its charts and the code that draws them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loadtest.report import figures
from loadtest.report.answer import answer
from loadtest.report.charts import charts
from loadtest.report.contents import TITLE, Report, sections, series
from loadtest.report.tables import UNITS, comparison
from loadtest.report.vega import Looks
from loadtest.results.summary import CostComparison, Skipped, Summary

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# `tojson` escapes <, > and & as \u003c and so on, so nothing in it can end a script element.
_ENVIRONMENT.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False}
_ENVIRONMENT.filters |= {name: getattr(figures, name) for name in ("ms", "rate", "usd", "pictures", "duration", "size")}
_ENVIRONMENT.globals |= {
    "comparison": comparison,
    "share": figures.share,
    "link": quote,
    "units": UNITS,
}


def to_html(
    runs: Sequence[Summary],
    skipped: Sequence[Skipped],
    costs: Sequence[CostComparison],
    *,
    made: str,
    command: str,
    title: str = TITLE,
) -> str:
    """The page, created at the time `made` by `command`; it links to the `dashboard` of each run."""
    report = Report(runs, skipped, costs)
    looks = Looks(series(report))
    return _ENVIRONMENT.get_template("page.html.j2").render(
        report=report,
        title=title,
        made=made,
        command=command,
        sections=[(section, answer(section), charts(section, looks)) for section in sections(report)],
        vega=_vega(),
    )


@functools.cache
def _vega() -> Markup:
    """Vega, Vega-Lite and vega-embed as one script that needs no network; it sets `window.vegaEmbed`."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return Markup(bundle.replace("</script", r"<\/script"))
