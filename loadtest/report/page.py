"""The report as one HTML page that needs nothing else: styles, charts and the code that draws them are in it."""

from __future__ import annotations

import functools
from pathlib import Path
from urllib.parse import quote

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loadtest.report import figures
from loadtest.report.answer import answer
from loadtest.report.charts import charts
from loadtest.report.contents import Report, Section, failed, sections, series
from loadtest.report.tables import comparison
from loadtest.report.vega import Looks

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# `tojson` writes <, > and & as \u003c and so on: nothing in it can end a script element.
_ENVIRONMENT.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False}
_ENVIRONMENT.filters |= {
    name: getattr(figures, name) for name in ("ms", "rate", "usd", "pictures", "duration", "size", "cell", "interval")
}
_ENVIRONMENT.globals |= {"comparison": comparison, "failed": failed, "share": figures.share, "link": quote}


def to_html(report: Report) -> str:
    """The whole page."""
    looks = Looks(series(report))
    divided = sections(report)
    return _ENVIRONMENT.get_template("page.html.j2").render(
        report=report,
        sections=[(section, answer(section), charts(section, looks)) for section in divided],
        places=_places(divided),
        vega=_vega(),
    )


def _places(divided: list[Section]) -> list[str]:
    return list(dict.fromkeys(section.place for section in divided))


@functools.cache
def _vega() -> Markup:
    """Vega, Vega-Lite and vega-embed as one script, without a network; it sets `window.vegaEmbed`."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return Markup(bundle.replace("</script", r"<\/script"))
