"""The HTML documents that a door answers from memory: the page at / and the reader of the OpenAPI document at /docs."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path

from serving.respond import HttpAnswer
from serving.settings import Settings, sample_keys

_FOLDER = Path(__file__).parent
HTML = "text/html; charset=utf-8"
_SCRIPTS = ("ask.js", "draw.js", "page.js", "events.js")
_ALWAYS = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'"


def start_page(settings: Settings, *, links_docs: bool) -> HttpAnswer:
    """The page on which a person tries the service, with its styles and scripts inside: a door has no other file of it.

    `links_docs` says whether the door has /docs.
    """
    style = _text("page.css")
    docs = ' The <a href="docs">API</a> has all options.' if links_docs else ""
    filled = {
        "samples": html.escape(json.dumps(sample_keys(settings.page_samples))),
        "max_image_bytes": str(settings.max_image_bytes),
        "docs": docs,
        "style": style,
    }
    scripts = [_text(name) for name in _SCRIPTS]
    policy = f"style-src {_hashed(style)}; img-src 'self' blob: data:"
    return _document("page.html", filled, scripts, policy, script_src="")


def docs_page() -> HttpAnswer:
    """Swagger UI for /docs.json, of the files that BentoML brings along.

    Swagger UI sets styles in elements, which a policy can only allow altogether.
    """
    policy = "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
    return _document("docs.html", {}, [_text("docs.js")], policy, script_src="'self' ")


def unless_unchanged(document: HttpAnswer, if_none_match: str | None) -> HttpAnswer:
    """The document, or 304 without a body if the client has it already."""
    known = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    if document.headers["ETag"] in known or "*" in known:
        return HttpAnswer(304, document.headers, b"")
    return document


def _document(name: str, filled: dict[str, str], scripts: list[str], policy: str, *, script_src: str) -> HttpAnswer:
    filled["scripts"] = "\n".join(f"<script>{script}</script>" for script in scripts)
    text = _text(name)
    for place, value in filled.items():
        text = text.replace(f"{{{{ {place} }}}}", value)
    body = text.encode()
    hashes = " ".join(_hashed(script) for script in scripts)
    headers = {
        "Content-Type": HTML,
        "Content-Security-Policy": f"{_ALWAYS}; script-src {script_src}{hashes}; {policy}",
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Cache-Control": "no-cache",  # A browser may keep it, and asks whether it has changed.
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpAnswer(200, headers, body)


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
