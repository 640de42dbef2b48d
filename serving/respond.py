"""From a request to the response: the behaviour that both doors share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from serving.contract import STEPS, ErrorAnswer, ErrorDetail, PredictAnswer, PredictRequest
from serving.errors import RequestError, to_request_error
from serving.instance import Instance


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
        read: Callable[[], PredictRequest],
        predict: Callable[[PredictRequest], PredictAnswer],
        request_id: str,
    ) -> HttpAnswer:
        """Read a request and answer it; any error of either becomes the contract's error response."""
        try:
            request = read()
            answer = predict(request)
        except Exception as exc:  # noqa: BLE001  # Every error becomes a response.
            return self.refuse(exc, request_id)
        self.observer.answered(request, answer, request_id)
        return success(answer, self.instance, request_id)

    def refuse(self, cause: Exception, request_id: str) -> HttpAnswer:
        """The error response for whatever went wrong."""
        error = to_request_error(cause)
        self.observer.failed(error, cause, request_id)
        return failure(error, self.instance, request_id)


def success(answer: PredictAnswer, instance: Instance, request_id: str) -> HttpAnswer:
    """The 200 response, with the step times in Server-Timing."""
    timings = answer.timings_ms.model_dump()
    headers = instance.headers(request_id)
    headers["Server-Timing"] = ", ".join(f"{step};dur={timings[step]:g}" for step in (*STEPS, "total"))
    return HttpAnswer(200, headers, answer.model_dump_json().encode())


def failure(error: RequestError, instance: Instance, request_id: str) -> HttpAnswer:
    """The response to an error."""
    headers = {**instance.headers(request_id), **error.headers}
    detail = ErrorDetail(code=error.code, message=str(error), request_id=request_id)
    return HttpAnswer(error.status, headers, ErrorAnswer(error=detail).model_dump_json().encode())
