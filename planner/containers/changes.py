"""Books with other values, for a search."""

from __future__ import annotations

import math
from typing import Any

from pydantic import ValidationError

from loadtest.errors import first_problem
from planner.errors import RulesError
from planner.scaling.books import Book

SEARCHED = "searched"


def with_changes(
    book: Book,
    *,
    min_replicas: int | None = None,
    max_replicas: int | None = None,
    target_percent: float | None = None,
    cores: float | None = None,
) -> Book:
    """The book with these values, whose source is then "searched"; raises RulesError.

    `cores` are those that a replica uses at most, and that its utilization is measured against. There may be as many
    instances as `max_replicas` need. `tasks_each` of the instances stays as it is.
    """
    given = book.model_dump(exclude_unset=True)
    changes: dict[str, Any] = {
        "scaler.min_replicas": min_replicas, "scaler.max_replicas": max_replicas,
        "scaler.target_percent": target_percent, "replica.cores": cores, "replica.request_cores": cores,
    }  # fmt: skip
    if book.instances and max_replicas is not None:
        needed = math.ceil(max_replicas / book.instances.tasks_each)
        changes["instances.max_replicas"] = max(needed, book.instances.min_replicas)
    changes = {path: value for path, value in changes.items() if value is not None}
    for path, value in changes.items():
        part, name = path.split(".")
        given[part][name] = value
    given["sources"] = {**book.sources, **dict.fromkeys(changes, SEARCHED)}
    try:
        return Book.model_validate(given)
    except ValidationError as exc:
        raise RulesError(f"{book.title} cannot be changed: {first_problem(exc)}") from None
