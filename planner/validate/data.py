"""Recorded data that are not part of the project: a folder that an environment variable names."""

from __future__ import annotations

import os
from pathlib import Path

from planner.errors import DataError


def folder(variable: str) -> Path:
    """The folder that an environment variable names; raises DataError if it is not set or there is no such folder."""
    name = os.environ.get(variable, "")
    if not name:
        raise DataError(f"{variable} is not set: set it to the folder with the data")
    if not Path(name).is_dir():
        raise DataError(f"{variable}: there is no folder {name}")
    return Path(name)
