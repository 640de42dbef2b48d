"""Parses Terraform's language: the blocks of a folder, and the names in their expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

Body = dict[str, Any]

_LABELS = {"resource": 2, "data": 2, "variable": 1, "output": 1, "provider": 1, "locals": 0, "terraform": 0}
_HEREDOC = re.compile(r'"<<-?(\w+)\n(.*?)\n\s*\1"', re.S)
_LOOP = re.compile(r"\bfor\s+(\w+)(?:\s*,\s*(\w+))?\s+in\b")
_CALL = re.compile(r"(?<![\w.])([a-z_]\w*)\(")
_NAME = re.compile(
    r"(?<![\w.])(?P<head>[a-z_]\w*)(?P<path>(?:\.[a-z_][\w-]*)+)(?=(?P<index>\[[^\]]*\])?(?P<after>\.[a-z_]\w*)?)"
)
_KEYWORDS = {"for", "in", "if"}


@dataclass(frozen=True)
class Block:
    """A top-level block: `resource "aws_lb" "this" {...}` has kind resource and two labels."""

    kind: str
    labels: tuple[str, ...]
    body: Body

    @property
    def address(self) -> str:
        """The block's address in Terraform's messages."""
        labels = self.labels if self.kind == "resource" else (self.kind, *self.labels)
        return ".".join(labels)


@dataclass(frozen=True)
class Reference:
    """A name in an expression: `aws_lb.this[0].arn` has head aws_lb, path (this,), index [0] and after arn."""

    head: str
    path: tuple[str, ...]
    index: str | None
    after: str | None
    bound: bool

    def __str__(self) -> str:
        return ".".join((self.head, *self.path)) + (self.index or "") + (f".{self.after}" if self.after else "")


def read_folder(folder: Path) -> list[Block]:
    """The blocks of all templates in a folder."""
    return [block for file in sorted(folder.glob("*.tf")) for block in read_text(file.read_text())]


@cache
def read_text(text: str) -> tuple[Block, ...]:
    """The blocks of one template; do not change them."""
    options = hcl2.SerializationOptions(with_comments=False)
    found = []
    for kind, bodies in hcl2.loads(text, serialization_options=options).items():
        for body in bodies:
            labels: list[str] = []
            for _ in range(_LABELS[kind]):
                ((label, body),) = body.items()
                labels.append(unquote(label))
            found.append(Block(kind, tuple(labels), body))
    return tuple(found)


def arguments(body: Body) -> Iterator[tuple[str, Any]]:
    """The arguments and nested blocks of a body, without the parser's own marks."""
    return ((name, value) for name, value in body.items() if not name.startswith("__"))


def nested_blocks(value: Any) -> list[Body] | None:
    """The blocks in a value, or None if it is the value of an argument."""
    is_blocks = (
        isinstance(value, list) and bool(value) and all(isinstance(v, dict) and "__is_block__" in v for v in value)
    )
    return value if is_blocks else None


def dynamic_blocks(body: Body) -> Iterator[tuple[str, Any, Body]]:
    """Name, for_each and content of the dynamic blocks in a body."""
    for item in body.get("dynamic", []):
        for label, inner in arguments(item):
            yield unquote(label), inner["for_each"], inner["content"][0]


def is_expression(value: Any) -> bool:
    """Whether a value is an expression and not a literal."""
    return isinstance(value, str) and value.startswith("${") and value.endswith("}")


def literal(value: Any) -> str | None:
    """The text of a string without interpolations, or None."""
    return unquote(value) if isinstance(value, str) and value.startswith('"') and "${" not in value else None


def unquote(text: str) -> str:
    """The text without the quotes around it."""
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text


def references(value: Any, bound: frozenset[str] = frozenset()) -> Iterator[Reference]:
    """All names in the expressions of a value or a body."""
    for code, names in _codes(value, bound):
        local_names = names | {name for pair in _LOOP.findall(code) for name in pair if name}
        for match in _NAME.finditer(code):
            yield Reference(
                match["head"],
                tuple(match["path"][1:].split(".")),
                match["index"],
                match["after"] and match["after"][1:],
                match["head"] in local_names,
            )


def calls(value: Any) -> set[str]:
    """The names of all functions in the expressions of a body."""
    return {name for code, _ in _codes(value, frozenset()) for name in _CALL.findall(code)} - _KEYWORDS


def _codes(value: Any, bound: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """All expressions in a value, without their strings, and the names that the surrounding blocks define."""
    if isinstance(value, str):
        yield _code(value), bound
    elif isinstance(value, list):
        for item in value:
            yield from _codes(item, bound)
    elif isinstance(value, dict):
        for name, inner in arguments(value):
            if name == "dynamic":
                for label, for_each, content in dynamic_blocks(value):
                    yield from _codes(for_each, bound)
                    yield from _codes(content, bound | {label})
            # These are words, not expressions.
            elif name not in ("ignore_changes", "type") or not _are_bare_words(inner):
                if is_expression(name):
                    yield from _codes(name, bound)
                yield from _codes(inner, bound)


def _are_bare_words(value: Any) -> bool:
    words = value if isinstance(value, list) else [value]
    return all(isinstance(w, str) and not w.startswith('"') and "." not in w for w in words)


def _code(text: str) -> str:
    """The code between `${` and `}` in a template, without its strings, but with the expressions in these."""
    out: list[str] = []
    modes = ["template"]
    i = 0
    while i < len(text):
        if modes[-1] == "code":
            heredoc = _HEREDOC.match(text, i)
            if heredoc:
                out.append(f" {_code(heredoc[2])} ")
                i = heredoc.end()
                continue
            char = text[i]
            if char == '"':
                modes.append("string")
            elif char == "{":
                modes.append("code")
            elif char == "}":
                modes.pop()
            out.append(" " if char == '"' else char)
        elif text.startswith("$${", i):
            i += 2
        elif text.startswith("${", i):
            modes.append("code")
            out.append(" ")
            i += 1
        elif text[i] == "\\":
            i += 1
        elif text[i] == '"' and modes[-1] == "string":
            modes.pop()
            out.append(" ")
        i += 1
    return "".join(out)
