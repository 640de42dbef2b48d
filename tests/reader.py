"""A page as its elements, its text and the data of its charts."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class Reader(HTMLParser):
    """The elements of a page, the text of each section, and the data of its scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.specs: list[tuple[str, dict[str, Any]]] = []
        self.sections: dict[str, str] = {}
        self._section, self._script, self._json = "", False, False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self._script = tag in ("script", "style")
        self._json = attributes.get("type") == "application/json"
        if tag == "section":
            self._section = str(attributes["id"])

    def handle_endtag(self, tag: str) -> None:
        self._script = self._script and tag not in ("script", "style")
        self._section = "" if tag == "section" else self._section

    def handle_data(self, data: str) -> None:
        if self._json and self._script:
            self.specs.append((self._section, json.loads(data)["spec"]))
        elif not self._script:
            self.sections[self._section] = self.sections.get(self._section, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every such element."""
        return [attributes for name, attributes in self.elements if name == tag]
