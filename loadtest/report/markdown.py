"""Pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence


def line(cells: Sequence[str]) -> str:
    """A line of a table, of cells that are escaped already."""
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Text on one line, escaped for Markdown and for the HTML that is made of it."""
    return re.sub(r"([\\`*_|\[\]<>])", r"\\\1", " ".join(text.split()))
