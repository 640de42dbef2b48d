"""Where the pictures are: a prefix of a bucket, or a folder of this machine. Both are read as streams."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from backfill.aws import s3_client, translated
from backfill.errors import SourceError
from backfill.pictures import Picture, is_picture


class Source(Protocol):
    """A stream of pictures; `name` identifies it, and `bucket` is empty if it is not known.

    Every result of these pictures has a key that begins with the service's prefix and `folder`.
    """

    name: str
    bucket: str
    folder: str

    def pictures(self) -> Iterator[Picture | None]:
        """Every picture, and None for each other file; each call begins anew. Raises SourceError."""
        ...


class BucketSource:
    """All objects of a bucket whose keys begin with a prefix."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self.bucket, self.prefix = bucket, prefix
        self.name = f"s3://{bucket}/{prefix}"
        self.folder = prefix[: prefix.rfind("/") + 1]

    def pictures(self) -> Iterator[Picture | None]:
        """The pictures in the order of S3, 1000 per request."""
        for key, etag, size in objects(self.bucket, self.prefix):
            yield Picture(key.encode(errors="surrogatepass"), etag, size) if is_picture(key) else None


class FolderSource:
    """All files of a folder and of the folders in it; hidden files and links to folders are left out."""

    bucket = folder = ""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.name = os.fsencode(self.root).decode("utf-8", "backslashreplace")

    def pictures(self) -> Iterator[Picture | None]:
        """The pictures in the order of the file system, so that a folder of any size takes no memory."""
        waiting = [self.root]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(Path(entry.path))
                        else:
                            yield self._picture(entry)
            except OSError as exc:
                raise SourceError(f"folder {folder} cannot be read ({exc.strerror}): correct its permissions") from None

    def _picture(self, entry: os.DirEntry[str]) -> Picture | None:
        if entry.name.startswith(".") or not is_picture(entry.name) or not entry.is_file():
            return None
        facts = entry.stat()
        name = os.fsencode(os.path.relpath(entry.path, self.root))
        return Picture(name, f"{facts.st_size}-{facts.st_mtime_ns}", facts.st_size, Path(entry.path))


def objects(bucket: str, prefix: str) -> Iterator[tuple[str, str, int]]:
    """Key, entity tag and size in bytes of every object below a prefix; raises SourceError."""
    with translated(f"bucket {bucket} cannot be listed"):
        for page in s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                yield entry["Key"], entry["ETag"].strip('"'), entry["Size"]


def parse_s3(url: str) -> tuple[str, str]:
    """The bucket and the key or prefix of an s3:// URL; raises SourceError."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not re.fullmatch("[A-Za-z0-9._-]+", bucket):
        raise SourceError(f"{url[:200]} is not the URL of a bucket: write s3://bucket/prefix")
    return bucket, key


def short_name(name: str, more: str) -> str:
    """A legible name for the folder of a job's results; `more` are the other facts that make it unique."""
    legible = re.sub(r"[^A-Za-z0-9]+", "-", name.removeprefix("s3://"))[-48:].strip("-")
    return f"{legible}-{hashlib.sha256(f'{name}|{more}'.encode()).hexdigest()[:8]}"
