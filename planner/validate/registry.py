"""All groups of comparisons. To add one, write a module with `compare` and add a line here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from planner.validate import kubernetes, lambda_2020, oracles, theory
from planner.validate.table import Comparison


@dataclass(frozen=True)
class Group:
    """A group of comparisons.

    `data` is the environment variable that names the folder with what it needs, empty if it needs nothing.
    """

    name: str
    compare: Callable[[], list[Comparison]]
    data: str = ""

    @property
    def skipped(self) -> str:
        """Why this group cannot be compared here, or nothing."""
        if self.data and not os.environ.get(self.data):
            return f"{self.data} is not set: set it to the folder with the data"
        return ""


GROUPS = (
    Group("theory", theory.compare),
    Group("lambda", lambda_2020.compare, data=lambda_2020.DATA),
    Group("kubernetes", kubernetes.compare),
    Group("oracles", oracles.compare, data=oracles.DATA),
)
