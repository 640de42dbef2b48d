"""The read-only part of the contract suite: what each check sends, and what is wrong with the response."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
from pydantic import ValidationError

from deployment.smoke.cases import REFUSED, REFUSED_UPLOADS
from deployment.smoke.client import Client, Reply
from deployment.smoke.errors import SmokeError
from detection.errors import DetectionError, PrintableError
from detection.images import decode, encode_jpeg, judge
from serving.accept import JPEG
from serving.contract import STEPS, ErrorAnswer, PredictAnswer

WIDTH, HEIGHT = 640, 480
REQUEST_ID = "smoke-1"
ID = {"X-Request-Id": REQUEST_ID}


class Wrong(PrintableError):
    """A response is not as the contract says; the message is a clause."""


@dataclass(frozen=True)
class Facts:
    """What a deployment says it is; `first_ms` is the time of its first response, `warm_ms` of a later one."""

    model: str
    version: str
    digest: str
    processor: str
    cold: bool
    first_ms: float
    warm_ms: float

    def __str__(self) -> str:
        begin = "cold start" if self.cold else "warm"
        text = f"model {self.model}, version {self.version}, image {self.digest}, on {self.processor}; "
        return str(PrintableError(text)) + f"{begin}, {self.first_ms:.0f} ms, then {self.warm_ms:.0f} ms"


@dataclass(frozen=True)
class Result:
    """A check and what is wrong, None if it passed."""

    name: str
    wrong: str | None


def first_contact(client: Client) -> tuple[Facts, Result]:
    """Upload a picture twice; raises SmokeError if the deployment refuses the caller or does not answer as JSON."""
    sent, times, replies = picture(), [], []
    for _ in range(2):
        start = perf_counter()
        replies.append(client.post(sent, {**ID, "Content-Type": JPEG}))
        times.append((perf_counter() - start) * 1000)
    first = replies[0]
    if first.status in (401, 403):
        raise SmokeError(
            f"it answers {first.status} ({said(first)}): set API_KEY to a key, or AUTH=iam to sign with AWS credentials"
        )
    if 300 <= first.status < 400:
        raise SmokeError(f"it answers {first.status}, a redirect to {first.headers.get('location')}: name that URL")
    try:
        answers = [_found(reply) for reply in replies]
        wrong = None if answers[0].detections == answers[1].detections else "the same picture has other detections"
        model = f"{answers[0].model.name}:{answers[0].model.version}"
    except Wrong as exc:
        wrong, model = str(exc), "unknown"
    facts = Facts(
        model=model,
        version=first.headers.get("x-version", "unknown"),
        digest=first.headers.get("x-image-digest", "of unknown digest"),
        processor=first.headers.get("x-instance-cpu", "an unknown processor"),
        cold=first.headers.get("x-cold-start") == "true",
        first_ms=times[0],
        warm_ms=times[1],
    )
    return facts, Result("an upload is answered, and nothing is stored", wrong)


def further(client: Client) -> Iterator[Result]:
    """All other checks; raises SmokeError if a response does not come."""
    yield _result("the annotated picture is returned", partial(_drawn, client))
    for name, (body, status, code) in REFUSED.items():
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        yield _result(name, partial(_refused, client, data, ID, status, code))
    for name, (data, accept, status, code) in REFUSED_UPLOADS.items():
        sent = {**ID, "Content-Type": JPEG, "Accept": accept}
        yield _result(name, partial(_refused, client, data, sent, status, code))
    if client.auth != "none":
        yield _result("a caller without credentials is refused", partial(_closed, client))


def _result(name: str, check: Callable[[], None]) -> Result:
    try:
        check()
    except Wrong as exc:
        return Result(name, str(exc))
    return Result(name, None)


def picture() -> bytes:
    """A JPEG of WIDTH x HEIGHT that every detector can look at."""
    across = np.linspace(0, 255, WIDTH, dtype=np.uint8)
    grey = np.broadcast_to(across[None, :, None], (HEIGHT, WIDTH, 3))
    return encode_jpeg(np.ascontiguousarray(grey), 90)


def said(reply: Reply) -> str:
    """The error of a response in a few words, or the beginning of a body that is not the contract's."""
    try:
        detail = ErrorAnswer.model_validate_json(reply.body).error
    except ValidationError:
        return " ".join(reply.body[:100].decode("utf-8", "replace").split()) or "no body"
    return f"{detail.code}: {detail.message[:200]}"


def _found(reply: Reply) -> PredictAnswer:
    if reply.status != 200:
        raise Wrong(f"expected 200, but it answers {reply.status} ({said(reply)})")
    try:
        answer = PredictAnswer.model_validate_json(reply.body)
    except ValidationError as exc:
        place = ".".join(str(part) for part in exc.errors()[0]["loc"])
        raise Wrong(f"the JSON is not of the contract: {place}: {exc.errors()[0]['msg']}") from None
    if (answer.image.width, answer.image.height) != (WIDTH, HEIGHT):
        raise Wrong(f"a picture of {WIDTH} x {HEIGHT} is said to be {answer.image.width} x {answer.image.height}")
    if answer.location or answer.bucket or answer.filename:
        raise Wrong(f"the upload was stored as {answer.filename}, though nobody asked for it")
    _check_headers(reply)
    timing = reply.headers.get("server-timing", "")
    if [part.split(";")[0].strip() for part in timing.split(",")] != [*STEPS, "total"]:
        raise Wrong(f"Server-Timing is {timing!r}, not the five steps and total")
    return answer


def _check_headers(reply: Reply) -> None:
    if reply.headers.get("x-request-id") != REQUEST_ID:
        raise Wrong(f"X-Request-Id is {reply.headers.get('x-request-id')!r}, not the one that was sent")
    for name in ("x-instance-id", "x-cold-start"):
        if name not in reply.headers:
            raise Wrong(f"the response has no header {name}")


def _drawn(client: Client) -> None:
    reply = client.post(picture(), {**ID, "Content-Type": JPEG, "Accept": JPEG})
    if (reply.status, reply.headers.get("content-type")) != (200, JPEG):
        kind = reply.headers.get("content-type")
        raise Wrong(f"expected 200 with {JPEG}, but it answers {reply.status} with {kind} ({said(reply)})")
    try:
        drawn = decode(reply.body, judge(reply.body, name="it", max_pixels=10**7), name="it")
    except DetectionError as exc:
        raise Wrong(f"the response cannot be decoded: {exc}") from None
    if drawn.shape != (HEIGHT, WIDTH, 3):
        raise Wrong(f"a picture of {WIDTH} x {HEIGHT} comes back as {drawn.shape[1]} x {drawn.shape[0]}")
    if not reply.headers.get("x-detections-count", "").isdecimal():
        raise Wrong("the response has no number in X-Detections-Count")


def _refused(client: Client, data: bytes, headers: dict[str, str], status: int, code: str) -> None:
    reply = client.post(data, headers)
    try:
        found = ErrorAnswer.model_validate_json(reply.body).error.code
    except ValidationError:
        found = ""
    if (reply.status, found) != (status, code):
        raise Wrong(f"expected {status} {code}, but it answers {reply.status} ({said(reply)})")
    _check_headers(reply)


def _closed(client: Client) -> None:
    # API Gateway refuses in a shape of its own.
    reply = client.post(b"{}", anonymous=True)
    if reply.status not in (401, 403):
        raise Wrong(f"expected 401 or 403, but it answers {reply.status} ({said(reply)})")
