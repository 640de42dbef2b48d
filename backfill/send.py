"""Sends a picture to a URL until it is answered: waits when the target is busy, and repeats what may succeed."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import urllib3
from pydantic import ValidationError

from backfill.errors import TargetFailed
from backfill.journal import Outcome
from backfill.pictures import Picture
from detection.errors import PrintableError
from serving.contract import PredictAnswer

MAX_ANSWER_BYTES = 16_000_000
MAX_UPLOAD_BYTES = 100_000_000
TRIES = 5  # Of a request that is not answered, or with a 5xx other than 503.
LONGEST_PAUSE_S = 30.0
BUSY_LIMIT_S = 600.0  # A picture that meets only a busy target for so long is left for the next start.
_BUSY = (429, 503)
_CODE = re.compile("[a-z0-9_]{1,60}")
# These do not depend on the picture.
_ALL_FAIL = {
    401: "set API_KEY to a key, and API_KEY_HEADER to its header",
    403: "set API_KEY to a key, and API_KEY_HEADER to its header",
    404: "is it the URL of the API with its stage, or of the load balancer?",
    405: "is it the URL of the API with its stage, or of the load balancer?",
}


@dataclass(frozen=True)
class Reply:
    """An HTTP response; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class HttpTarget:
    """A service or a function at a URL; thread-safe.

    `url` is the whole URL of /predict. `options` are those of the contract. `key` is a header and its value. `stopping`
    ends all pauses: a picture that has no answer by then stays unrecorded.
    """

    url: str
    options: Mapping[str, Any]
    key: tuple[str, str] | None
    timeout_s: float
    stopping: threading.Event
    concurrency: int = 4
    first_pause_s: float = 1.0
    batch: int = 1
    _pool: urllib3.PoolManager = field(init=False)

    def __post_init__(self) -> None:
        self._pool = urllib3.PoolManager(maxsize=self.concurrency, block=True, retries=False)

    def send(self, pictures: list[Picture]) -> list[Outcome | None]:
        """The outcome of one picture; None if the run was stopped before. Raises TargetFailed if all would fail."""
        return [self._send(picture) for picture in pictures]

    def _send(self, picture: Picture) -> Outcome | None:
        tries, begin = 0, time.monotonic()
        while True:
            start = time.monotonic()
            try:
                reply = self._ask(picture)
                outcome = self._judge(reply)
            except (urllib3.exceptions.HTTPError, OSError) as exc:
                reply, outcome = None, _unreachable(exc)
            except _Unreadable as exc:
                return Outcome("failed", "file_unreadable", message=str(exc))
            seconds = time.monotonic() - start
            if outcome.state != "later":
                return Outcome(outcome.state, outcome.code, outcome.answer, outcome.message, seconds)
            busy = reply is not None and reply.status in _BUSY
            tries += 1
            if (not busy and tries >= TRIES) or time.monotonic() - begin > BUSY_LIMIT_S:
                return Outcome("later", outcome.code, message=outcome.message, seconds=seconds)
            if self.stopping.wait(self._pause(tries, reply)):
                return None

    def _pause(self, tries: int, reply: Reply | None) -> float:
        """Seconds until the next try: what Retry-After asks for, and a random part that doubles with each try."""
        asked = retry_after(reply.headers.get("retry-after", "")) if reply else 0.0
        return asked + random.uniform(0, min(LONGEST_PAUSE_S, self.first_pause_s * 2 ** (min(tries, 10) - 1)))

    def _ask(self, picture: Picture) -> Reply:
        """One try, which takes at most `timeout_s`, however slowly the response comes."""
        url, headers = self.url, dict([self.key]) if self.key else {}
        if picture.file is None:
            headers["Content-Type"] = "application/json"
            body = body_of(picture, self.options)
        else:
            headers["Content-Type"] = picture.media_type
            body = _read(picture)
            url += _query(self.options)
        deadline = time.monotonic() + self.timeout_s
        timeout = urllib3.Timeout(connect=min(10.0, self.timeout_s), read=self.timeout_s)
        response = self._pool.request(
            "POST", url, body=body, headers=headers, timeout=timeout, redirect=False, preload_content=False
        )
        with closing(response):
            data = bytearray()
            while some := response.read1(1 << 16):
                data += some
                if len(data) > MAX_ANSWER_BYTES:
                    raise TargetFailed(f"{self.url} sends more than {MAX_ANSWER_BYTES} bytes: is it the right URL?")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no whole response within {self.timeout_s:g} s")
            return Reply(response.status, {k.lower(): v for k, v in response.headers.items()}, bytes(data))

    def _judge(self, reply: Reply) -> Outcome:
        """What a response means; `later` is for what may succeed."""
        status, data = reply.status, _object(reply.body)
        if status == 200:
            try:
                answer = PredictAnswer.model_validate(data)
            except ValidationError:
                raise TargetFailed(f"{self.url} answers 200, but not as /predict does: is it the right URL?") from None
            # A presigned URL lets anybody in until it expires, and is useless afterwards.
            return Outcome("done", answer=answer.model_dump(exclude_none=True, exclude={"location"}))
        error = data.get("error")
        error = error if isinstance(error, dict) else {}
        code = str(error.get("code"))
        code = code if "code" in error and _CODE.fullmatch(code) else f"http_{status}"
        message = str(PrintableError(str(error.get("message") or data.get("message") or "")[:500]))
        if status >= 500 or status == 429:
            return Outcome("later", code, message=message)
        if (status in _ALL_FAIL and code != "image_not_found") or not 400 <= status < 500:
            hint = _ALL_FAIL.get(status, "is it the right URL?")
            raise TargetFailed(f"{self.url} answers {status} ({message or code}): {hint}")
        return Outcome("failed", code, message=message)


class _Unreadable(Exception):
    """A file that cannot be sent."""


def body_of(picture: Picture, options: Mapping[str, Any]) -> bytes:
    """The JSON of a request for a picture of a bucket; the same picture and options give the same bytes."""
    return json.dumps({"filename": picture.key, **options}, sort_keys=True).encode()


def _query(options: Mapping[str, Any]) -> str:
    """The options in the form that a URL has them: numbers and true as in JSON, a list once per item."""
    pairs = {name: value if isinstance(value, list) else json.dumps(value) for name, value in options.items()}
    return "?" + urlencode(pairs, doseq=True) if pairs else ""


def _read(picture: Picture) -> bytes:
    """The bytes of a file; raises _Unreadable."""
    assert picture.file is not None
    try:
        with picture.file.open("rb") as file:
            data = file.read(MAX_UPLOAD_BYTES + 1)
    except OSError as exc:
        raise _Unreadable(f"the file cannot be read ({exc.strerror})") from None
    if len(data) > MAX_UPLOAD_BYTES:
        raise _Unreadable(f"the file has more than {MAX_UPLOAD_BYTES // 10**6} MB")
    return data


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _unreachable(error: Exception) -> Outcome:
    # A refused connection is a timeout in urllib3's tree.
    refused = isinstance(error, urllib3.exceptions.NewConnectionError)
    late = isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError) and not refused
    return Outcome("later", "timeout" if late else "no_connection", message=f"{type(error).__name__}: {error}"[:500])


def retry_after(header: str) -> float:
    """The seconds of a Retry-After header, which has seconds or a date; 0 without, and at most LONGEST_PAUSE_S."""
    if header.strip().isdecimal():
        seconds = float(header)
    else:
        try:
            then = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return 0.0
        if then.tzinfo is None:
            then = then.replace(tzinfo=timezone.utc)
        seconds = (then - datetime.now(timezone.utc)).total_seconds()
    return min(max(0.0, seconds), LONGEST_PAUSE_S)
