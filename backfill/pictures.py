"""One picture of a source, and what a request about it says."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path

# The endings of the formats that the service decodes, with their media types.
KINDS = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".bmp": "image/bmp",
    ".tif": "image/tiff", ".tiff": "image/tiff", ".gif": "image/gif",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A picture by its name in the source, as bytes: a key in UTF-8, or the path of a file in its folder.

    `tag` changes with the picture: an entity tag, or size and time of a file; empty if it is not known. `size` is in
    bytes. `file` is there for a picture that is uploaded.
    """

    name: bytes
    tag: str = ""
    size: int | None = None
    file: Path | None = None

    @property
    def key(self) -> str:
        """The name as text; bytes of a file name that are not UTF-8 are escaped."""
        return self.name.decode("utf-8", "backslashreplace")

    @property
    def media_type(self) -> str:
        """The media type by the ending of the name."""
        return KINDS[ending(os.fsdecode(self.name))]


def ending(name: str) -> str:
    """The ending of a name in lower case, with its dot."""
    return posixpath.splitext(name)[1].lower()


def is_picture(name: str) -> bool:
    """Whether a name ends as pictures do that the service decodes."""
    return ending(name) in KINDS
