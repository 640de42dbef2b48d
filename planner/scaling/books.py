"""Books: the rules of one platform as a file, every number in it with its source.

A platform is added by adding a file to `books`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from loadtest.errors import first_problem
from planner.errors import RulesError
from planner.scaling.rules import InstanceRules, Replica, Rules, ScalerRules

FOLDER = Path(__file__).parent / "books"
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Assumption:
    """One parameter of a platform, with where its value comes from."""

    name: str
    value: str
    source: str


class Book(Rules):
    """The rules of one platform; `sources` names the source of each value, by its path or the path of what it is in."""

    title: str = Field(min_length=1, max_length=200)
    replica: Replica
    scaler: ScalerRules
    instances: InstanceRules | None = None
    sources: Mapping[str, str]

    @model_validator(mode="after")
    def _every_value_has_a_source(self) -> Book:
        without = [one.name for one in self.assumptions() if not one.source]
        if without:
            raise ValueError(f"{without[0]} has no source: add it to sources")
        return self

    def assumptions(self) -> tuple[Assumption, ...]:
        """Every parameter with its value and source."""
        parts = {"replica": self.replica, "scaler": self.scaler, "instances": self.instances}
        return tuple(one for name, part in parts.items() if part for one in self._of(part, name))

    def _of(self, rules: Rules, path: str) -> Iterator[Assumption]:
        for name, field in type(rules).model_fields.items():
            if name == "kind":
                continue
            own = f"{path}.{name}"
            # The source of a group is that of the values which the book gives, not of the defaults beside them.
            default = "" if name in rules.model_fields_set or own in self.sources else field.description or ""
            yield Assumption(own, _shown(getattr(rules, name)), default or self._source(own))

    def _source(self, path: str) -> str:
        while path and path not in self.sources:
            path = path.rpartition(".")[0]
        return self.sources.get(path, "")


def _shown(value: Any) -> str:
    if isinstance(value, Rules):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value if part is not None)
    if isinstance(value, tuple):
        return "; ".join(_shown(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def names() -> list[str]:
    """The names of all books."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def load_book(name: str) -> Book:
    """Read a book by its name or its file; raises RulesError."""
    file = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    try:
        if file.stat().st_size > MOST_BYTES:
            raise RulesError(f"{file} has more than {MOST_BYTES // 1_000_000} MB: rules are a page at most")
        text = file.read_text()
    except (OSError, UnicodeDecodeError):
        raise RulesError(f"there are no rules {name}: take one of {', '.join(names())}, or name a .yaml file") from None
    try:
        given = yaml.safe_load(text)
        if not isinstance(given, dict):
            raise RulesError(f"{file}: rules must be a mapping of names to values")
        return Book.model_validate(given)
    except yaml.YAMLError as exc:
        raise RulesError(f"{file} is not YAML: {' '.join(str(exc).split())}") from None
    except ValidationError as exc:
        raise RulesError(f"{file}: {first_problem(exc)}") from None
