"""The key of a result, computed from everything that shapes it."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from dataclasses import dataclass

from serving.contract import MAX_KEY_BYTES, PredictRequest

_DIGITS = 12


@dataclass(frozen=True)
class ResultNames:
    """The part of a result's key that is the same for all requests to a process: its settings and its model."""

    input_bucket: str
    prefix: str
    jpeg_quality: int
    model: str
    version: str

    def key(self, request: PredictRequest, etag: str) -> str:
        """The key of an annotated picture: the name of the picture and a digest of everything that shapes the result.

        The same request for the same picture gives the same key, so a repeated request replaces its result by an equal
        one.
        """
        shaping = request.model_dump(include={"filename", "confidence", "iou", "classes"})
        facts = [self.input_bucket, etag, shaping, self.model, self.version, self.jpeg_quality]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:_DIGITS]
        stem = f"{self.prefix}{posixpath.splitext(request.filename)[0]}"
        ending = f"_{digest}.jpg"
        return stem.encode()[: MAX_KEY_BYTES - len(ending)].decode(errors="ignore") + ending


def prefix_of(result: str, filename: str) -> str | None:
    """The prefix of all results, by the key of one; None if it does not belong to this picture, or was shortened."""
    stem = re.escape(posixpath.splitext(filename)[0])
    found = re.fullmatch(rf"(.*){stem}_[0-9a-f]{{{_DIGITS}}}\.jpg", result, re.DOTALL)
    return found[1] if found else None
