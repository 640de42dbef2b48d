"""A random sample of the pictures in an S3 bucket, bounded in number and bytes, and equal for equal buckets."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from model_store.calibration import MOST, SUFFIXES, check_enough
from model_store.errors import DownloadError, PicturesError
from model_store.evaluate import read_picture

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SEED = 0
MOST_LISTED = 1_000_000
"""Objects that are listed: a thousand requests, which take one or two minutes."""
MOST_BYTES, MOST_BYTES_EACH = 1_000_000_000, 20_000_000
"""Bytes of the whole sample and of one picture; larger pictures are not sampled."""
ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})


class _Object(NamedTuple):
    key: str
    size: int


class Sample(NamedTuple):
    """How many pictures there are, how many were taken from them, and how many of these cannot be decoded."""

    url: str
    pictures: int
    taken: int
    broken: int

    def __str__(self) -> str:
        """One line for the user."""
        broken = f", {self.broken} more cannot be decoded" if self.broken else ""
        return f"{self.url}: {self.taken} of {self.pictures} pictures, chosen at random (seed {SEED}){broken}"


def sample(url: str, folder: Path) -> Sample:
    """Download a random sample of the pictures under `s3://bucket/prefix` into a folder, without the broken ones.

    A bucket of uploads has broken pictures, so these are counted and not refused. Raises DownloadError, and
    PicturesError when there are too few pictures.
    """
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    try:
        client = boto3.Session().client("s3")
        chosen, count = reservoir(_pictures(client, bucket, prefix), MOST, SEED)
    except (BotoCoreError, ClientError, ValueError) as exc:
        raise DownloadError(f"{url} could not be listed ({str(exc)[:200]}): check name and credentials") from None
    check_enough(count, url)
    taken = broken = total = 0
    for number, (key, size) in enumerate(chosen):
        if total + size > MOST_BYTES:
            break
        file = folder / f"{number:03}{PurePosixPath(key).suffix.lower()}"
        total += _download(client, bucket, key, file)
        try:
            read_picture(file)
            taken += 1
        except PicturesError:
            file.unlink()
            broken += 1
    check_enough(taken, f"{url}, without {broken} that cannot be decoded,")
    return Sample(url, count, taken, broken)


def reservoir(objects: Iterator[_Object], most: int, seed: int) -> tuple[list[_Object], int]:
    """Choose `most` of any number of objects, all equally likely, in random order; also returns their number."""
    rng = random.Random(seed)
    chosen: list[_Object] = []
    count = 0
    for count, entry in enumerate(objects, 1):
        if count <= most:
            chosen.append(entry)
        elif (place := rng.randrange(count)) < most:
            chosen[place] = entry
    rng.shuffle(chosen)  # The download may stop early, and keys are often in order of time.
    return chosen, count


def _pictures(client: S3Client, bucket: str, prefix: str) -> Iterator[_Object]:
    """The pictures among the first MOST_LISTED objects, by suffix, size and storage class."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for entry in islice((entry for page in pages for entry in page.get("Contents", [])), MOST_LISTED):
        picture = PurePosixPath(entry["Key"]).suffix.lower() in SUFFIXES
        if picture and 0 < entry["Size"] <= MOST_BYTES_EACH and entry.get("StorageClass") not in ARCHIVED:
            yield _Object(entry["Key"], entry["Size"])


def _download(client: S3Client, bucket: str, key: str, file: Path) -> int:
    """Write the first MOST_BYTES_EACH of an object to a file; returns their number."""
    try:
        with closing(client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
            return file.write_bytes(body.read(MOST_BYTES_EACH))
    except (BotoCoreError, ClientError, HTTPError, OSError) as exc:
        reason = str(exc)[:200]
        raise DownloadError(f"s3://{bucket}/{key} could not be downloaded ({reason}): try again") from None
