"""The requests of the soak test, good and bad ones, and what may be answered to each."""

from __future__ import annotations

import itertools
import json
import struct
import uuid
import zlib
from dataclasses import dataclass
from http.client import HTTPMessage
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from detection.card import ModelCard
from local.doors import INPUT_BUCKET
from scenes.pictures import jpeg_near, soft_noise
from scenes.render import HELD_OUT_SEEDS, render_scene
from serving.contract import PredictRequest
from serving.errors import RequestError
from serving.predictor import result_key
from serving.settings import Settings
from tests.conftest import to_jpeg

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STATUS = {kind.code: kind.status for kind in RequestError.__subclasses__()}
# Any request may meet a full queue or a slow S3. SeaweedFS refuses requests while it starts, hence the second set.
ALWAYS = {"overloaded", "storage_timeout", "deadline_exceeded"}
WHILE_S3_STARTS = {"storage_refused"}
MISSING = "missing.jpg"


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


HUGE_PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(bytes(1000)))
    + _chunk(b"IEND", b"")
)
BAD_PICTURES = {
    "text.jpg": (b"This is not a picture.", "not_an_image"),
    "empty.jpg": (b"", "not_an_image"),
    "huge.png": (HUGE_PNG, "image_too_large"),
    "half.jpg": (b"\xff\xd8\xff\xe0" + bytes(1000), "not_an_image"),
}
BAD_BODIES = {
    b'{"filename"': "unsupported_media_type",
    b"{}": "invalid_request",
    b'{"filename": "good-0.jpg", "confidence": 7}': "invalid_request",
    b'{"filename": "good-0.jpg", "classes": ["unicorn"]}': "invalid_request",
}


@dataclass(frozen=True)
class Asked:
    """One request: its body and id, the code of the error that it deserves, or the key of its result."""

    body: bytes
    request_id: str
    code: str | None = None
    key: str = ""
    size: tuple[int, int] = (0, 0)

    def fault(self, status: int, headers: HTTPMessage, body: bytes, *, s3_starts: bool) -> tuple[str, str | None]:
        """The outcome in words, and what is wrong with the response, None where nothing is."""
        try:
            answer = json.loads(body)
            return self._judge(status, answer, headers, s3_starts=s3_starts)
        except (ValueError, KeyError, TypeError):
            return f"{status} not of the contract", f"{status} is not of the contract: {body[:200]!r}"

    def _judge(self, status: int, answer: Any, headers: HTTPMessage, *, s3_starts: bool) -> tuple[str, str | None]:
        if headers.get("X-Request-Id") != self.request_id:
            return str(status), f"{status} with the request id of another request"
        if status == 200:
            size = answer["image"]["width"], answer["image"]["height"]
            if self.code or answer["filename"] != self.key or size != self.size:
                return "200", f"200 {answer['filename']} where {self.code or self.key} was due"
            return "200", None
        error = answer["error"]
        code, outcome = error["code"], f"{status} {error['code']}"
        allowed = {self.code} | ALWAYS | (WHILE_S3_STARTS if s3_starts else set())
        if STATUS.get(code) != status or not error["message"] or error["request_id"] != self.request_id:
            return outcome, f"{outcome} is not of the contract"
        if code not in allowed:
            return outcome, f"{outcome} where {self.code or '200'} was due: {error['message'][:200]}"
        return outcome, None


class Requests:
    """Makes requests: nine of ten ask for a good picture, each with a confidence of its own and so its own result."""

    def __init__(self, s3: S3Client, settings: Settings, card: ModelCard) -> None:
        """Put the pictures into the input bucket."""
        self._settings, self._card = settings, card
        self._numbers = itertools.count(1)
        self._good: dict[str, tuple[str, tuple[int, int]]] = {}
        pictures = [render_scene(HELD_OUT_SEEDS[seed], 640).image for seed in range(5)]
        files = [(to_jpeg(picture, 85), picture.shape) for picture in pictures]
        large = soft_noise(np.random.default_rng(0), 2400, 1800)
        files.append((jpeg_near(large, 1_500_000), large.shape))
        for number, (data, (height, width, _)) in enumerate(files):
            key = f"good-{number}.jpg"
            etag = s3.put_object(Bucket=INPUT_BUCKET, Key=key, Body=data)["ETag"].strip('"')
            self._good[key] = etag, (width, height)
        for key, (data, _) in BAD_PICTURES.items():
            s3.put_object(Bucket=INPUT_BUCKET, Key=key, Body=data)

    def next(self, random: Random) -> Asked:
        """The next request."""
        request_id = uuid.uuid4().hex
        if random.random() < 0.9:
            key = random.choice(list(self._good))
            etag, size = self._good[key]
            request = PredictRequest(filename=key, confidence=0.25 + next(self._numbers) * 1e-9)
            body = request.model_dump_json(exclude_unset=True).encode()
            return Asked(body, request_id, None, result_key(self._settings, request, etag, self._card), size)
        bodies = [(json.dumps({"filename": key}).encode(), code) for key, (_, code) in BAD_PICTURES.items()]
        bodies += [(json.dumps({"filename": MISSING}).encode(), "image_not_found"), *BAD_BODIES.items()]
        body, code = random.choice(bodies)
        return Asked(body, request_id, code)
