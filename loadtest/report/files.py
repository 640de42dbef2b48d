"""The files of a page: the page itself, and the same figures in other formats beside it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from loadtest.errors import LoadTestError
from model_store.files import write_atomically


def typed(module: str) -> str:
    """The command line of `python -m module` that was typed."""
    return shlex.join(["python", "-m", module, *sys.argv[1:]])


def write_texts(page: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write texts by their suffixes beside each other, with the name of the page; raises LoadTestError."""
    files = {page.with_suffix(suffix): text for suffix, text in texts.items()}
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            write_atomically(file, text.encode())
    except OSError as exc:
        raise LoadTestError(f"{page} cannot be written: {exc.strerror}") from None
    return list(files)
