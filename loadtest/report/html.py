"""What every page is made with: the environment of its templates, and the script that draws its charts."""

from __future__ import annotations

import functools
from pathlib import Path
from urllib.parse import quote

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loadtest.report import figures


def environment(*folders: Path) -> Environment:
    """Templates of the given folders, which find the shared parts of this folder too; all text is escaped."""
    made = Environment(
        loader=FileSystemLoader([*folders, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # `tojson` escapes <, > and & as \u003c and so on, so nothing in it can end a script element.
    made.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False}
    made.filters |= {
        name: getattr(figures, name) for name in ("ms", "rate", "usd", "pictures", "duration", "size", "processors")
    }
    # Quoted, a path is never a URL of another scheme.
    made.globals |= {"share": figures.share, "link": quote}
    return made


@functools.cache
def vega() -> Markup:
    """Vega, Vega-Lite and vega-embed as one script that needs no network; it sets `window.vegaEmbed`."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return Markup(bundle.replace("</script", r"<\/script"))
