"""The folder and the commit of the checkout, and the machine: the origin of measured figures."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from detection.processor import read_processor

ROOT = Path(__file__).parents[1]


def machine() -> str:
    """The number of cores and the name of the processor."""
    return f"{os.cpu_count()} cores, {read_processor().model}"


def commit() -> str:
    """The short hash of the checkout's commit, followed by + if files have changed since."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        return "unknown"
    changed = subprocess.run(["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, cwd=ROOT).stdout
    return done.stdout.strip() + ("+" if changed.strip() else "")
