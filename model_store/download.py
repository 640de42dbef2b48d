"""Download official releases: downloads are resumable, and checked by their SHA-256."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, TypeAdapter

from model_store.errors import DownloadError
from model_store.files import file_sha256, write_atomically

CATALOGUE = Path(__file__).parent / "catalogue.json"
BLOCK_BYTES = 1 << 20
TIMEOUT_S = 30

Progress = Callable[[int, int | None], None]


class Release(BaseModel):
    """An official checkpoint. If `sha256` is not known, the digest of the first download is recorded and enforced."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    input_size: int
    licence: str
    sha256: str | None


def catalogue(file: Path = CATALOGUE) -> dict[str, Release]:
    """The official releases by name."""
    return TypeAdapter(dict[str, Release]).validate_json(file.read_bytes())


def fetch(name: str, release: Release, folder: Path, progress: Progress) -> Path:
    """Download a release into a folder and return the file; an interrupted download is resumed.

    `progress` gets the bytes done and the bytes in total. Raises DownloadError. After a
    network error, the part that can be resumed is kept; after a wrong checksum, nothing is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, part = folder / f"{name}.pt", folder / f"{name}.pt.part"
    if not target.is_file():
        _download(release.url, part, progress)
        os.replace(part, target)
    _check(name, release, target, folder / "checksums.json")
    return target


def _download(url: str, part: Path, progress: Progress) -> None:
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            if done and answer.status != 206:  # The server does not resume, so the download starts again.
                done = 0
            _write(answer, part, done, progress)
    except urllib.error.HTTPError as exc:
        if exc.code == 416 and done:  # The whole file is here already.
            return
        raise DownloadError(f"{url} answered {exc.code}: see whether the release has moved") from None
    except (OSError, HTTPException) as exc:
        reason = getattr(exc, "reason", exc)
        raise DownloadError(
            f"{url} could not be downloaded ({reason}): try again, and the download is resumed"
        ) from None


def _write(answer: HTTPResponse, part: Path, done: int, progress: Progress) -> None:
    length = answer.headers.get("Content-Length")
    total = done + int(length) if length else None
    with part.open("ab" if done else "wb") as file:
        while block := answer.read(BLOCK_BYTES):
            file.write(block)
            done += len(block)
            progress(done, total)
    if total is not None and done < total:
        raise OSError(f"the connection broke off after {done} of {total} bytes")


def _check(name: str, release: Release, file: Path, record: Path) -> None:
    """Compare with the pinned checksum, else with the recorded one; record the checksum of a first download."""
    known: dict[str, str] = json.loads(record.read_text()) if record.is_file() else {}
    expected = release.sha256 or known.get(release.url)
    found = file_sha256(file)
    if expected is None:
        write_atomically(record, json.dumps(known | {release.url: found}, indent=1).encode())
    elif found != expected:
        file.unlink()
        origin = "pinned in the catalogue" if release.sha256 else f"recorded in {record}"
        raise DownloadError(
            f"{name} from {release.url} has SHA-256 {found}, not {expected}, {origin}: nothing was stored"
        )


def fetch_s3(url: str, folder: Path) -> Path:
    """Download `s3://bucket/key` into a folder with boto3's usual settings; raises DownloadError."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    name = key.rpartition("/")[2]
    file = folder / ("weights" if name in ("", ".", "..") else name)
    try:
        boto3.Session().client("s3").download_file(bucket, key, str(file))
    except (BotoCoreError, ClientError, OSError, ValueError) as exc:
        raise DownloadError(f"{url} could not be downloaded ({str(exc)[:200]}): check name and credentials") from None
    return file


class ProgressBar:
    """Shows the progress of a download: a bar on a terminal, elsewhere a line for each tenth."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tenth = -1

    def __call__(self, done: int, total: int | None) -> None:
        of = f" of {total / 1e6:.0f}" if total else ""
        line = f"{self._name}: {done / 1e6:.0f}{of} MB"
        if sys.stderr.isatty():
            filled = int(30 * done / total) if total else 0
            sys.stderr.write(f"\r[{'#' * filled:<30}] {line}" + ("\n" if done == total else ""))
        elif total and done * 10 // total != self._tenth:
            self._tenth = done * 10 // total
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
