"""From a request to the response: the behaviour that both doors share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from serving.accept import JPEG
from serving.contract import STEPS, Answer, Call, ErrorAnswer, ErrorDetail, PredictAnswer, PredictRequest
from serving.errors import RequestError, to_request_error
from serving.instance import Instance

MAX_DETECTIONS_BYTES = 4096  # Of the header X-Detections; API Gateway takes 10 KB of headers.


@dataclass(frozen=True)
class HttpAnswer:
    """A response ready to be sent."""

    status: int
    headers: dict[str, str]
    body: bytes


class Observer(Protocol):
    """Logs and counts what a door answers."""

    def answered(self, request: PredictRequest, answer: PredictAnswer, request_id: str) -> None:
        """Record an answered request."""
        ...

    def failed(self, error: RequestError, cause: Exception, request_id: str) -> None:
        """Record a failed request: the error that the client sees, and what caused it."""
        ...


class Responder:
    """Answers requests as the contract says, whatever happens, and tells the observer. Thread-safe."""

    def __init__(self, instance: Instance, observer: Observer) -> None:
        self.instance = instance
        self.observer = observer

    def respond(
        self,
        read: Callable[[], Call],
        predict: Callable[[Call], Answer],
        request_id: str,
    ) -> HttpAnswer:
        """Read a request and answer it; any error of either becomes the contract's error response."""
        try:
            call = read()
            answer = predict(call)
        except Exception as exc:  # noqa: BLE001  # Every error becomes a response.
            return self.refuse(exc, request_id)
        self.observer.answered(call.request, answer.found, request_id)
        return success(call, answer, self.instance, request_id)

    def refuse(self, cause: Exception, request_id: str) -> HttpAnswer:
        """The error response for whatever went wrong."""
        error = to_request_error(cause)
        self.observer.failed(error, cause, request_id)
        return failure(error, self.instance, request_id)


def success(call: Call, answer: Answer, instance: Instance, request_id: str) -> HttpAnswer:
    """The 200 response, JSON or the annotated picture, with the step times in Server-Timing."""
    timings = answer.found.timings_ms.model_dump()
    headers = instance.headers(request_id) | instance.success_headers()
    headers["Server-Timing"] = ", ".join(f"{step};dur={timings[step]:.10g}" for step in (*STEPS, "total"))
    if not call.returns_picture or answer.jpeg is None:
        return HttpAnswer(200, headers, answer.found.model_dump_json(exclude_none=True).encode())
    return HttpAnswer(200, headers | _picture_headers(answer.found), answer.jpeg)


def _picture_headers(found: PredictAnswer) -> dict[str, str]:
    """The headers of a response that is the annotated picture: what JSON would say, where a header can hold it."""
    headers = {"Content-Type": JPEG, "X-Detections-Count": str(len(found.detections))}
    # JSON in ASCII: a label may have any characters.
    detections = json.dumps([one.model_dump() for one in found.detections], separators=(",", ":"))
    if len(detections) <= MAX_DETECTIONS_BYTES:
        headers["X-Detections"] = detections
    if found.location is not None:
        headers["Content-Location"] = found.location
    return headers


def failure(error: RequestError, instance: Instance, request_id: str) -> HttpAnswer:
    """The response to an error."""
    headers = {**instance.headers(request_id), **error.headers}
    detail = ErrorDetail(code=error.code, message=str(error), request_id=request_id)
    return HttpAnswer(error.status, headers, ErrorAnswer(error=detail).model_dump_json().encode())
