"""All groups of comparisons. To add one, write a module with `compare` and add a line here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from planner.validate import course, kubernetes, lambda_2020, oracles, stand_ins, theory
from planner.validate.table import Comparison


@dataclass(frozen=True)
class Group:
    """A group of comparisons.

    `data` is the environment variable that names the folder with what it needs, empty if it needs nothing. `file` is a
    file of the project that it needs, which may be absent.
    """

    name: str
    compare: Callable[[], list[Comparison]]
    data: str = ""
    file: Path | None = None

    @property
    def skipped(self) -> str:
        """Why this group cannot be compared here, or nothing."""
        if self.data and not os.environ.get(self.data):
            return f"{self.data} is not set: set it to the folder with the data"
        if self.file and not self.file.is_file():
            return f"there is no {self.file.name}: write it with python -m planner predict"
        return ""


GROUPS = (
    Group("theory", theory.compare),
    Group("lambda", lambda_2020.compare, data=lambda_2020.DATA),
    Group("kubernetes", kubernetes.compare),
    Group("course", course.compare),
    Group("stand-ins", stand_ins.compare, file=stand_ins.PREDICTIONS),
    Group("oracles", oracles.compare, data=oracles.DATA),
)
