"""The contract of /predict: what is asked, what is answered, and how both travel over HTTP.

Both doors use this module alone for schemas, statuses, headers and bodies, so that they cannot drift apart.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from detection.errors import InternalError, InvalidRequest, NotJson, RequestError

STEPS = ("fetch", "decode", "detect", "annotate", "store")

MAX_BODY_BYTES = 65_536
MAX_KEY_BYTES = 1024

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/=+-]{1,128}")


def legal_key(filename: str) -> str:
    """Return the S3 key unchanged; raises ValueError where S3 or a URL would not give back the same key."""
    try:
        size = len(filename.encode())
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    if not 1 <= size <= MAX_KEY_BYTES:
        raise ValueError(f"must have 1 to {MAX_KEY_BYTES} bytes in UTF-8, but has {size}")
    if _CONTROL.search(filename):
        raise ValueError("must not contain control characters")
    if filename.startswith("/") or {"", ".", ".."} & set(filename.split("/")):
        raise ValueError("must not start or end with '/', nor contain the path segments '', '.' or '..'")
    return filename


class PredictRequest(BaseModel):
    """A picture in the input bucket, and how to look at it."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={"example": {"filename": "bus.jpg", "confidence": 0.5}},
    )

    filename: Annotated[str, AfterValidator(legal_key)] = Field(description="key of the picture in the input bucket")
    confidence: float = Field(0.25, ge=0, le=1, allow_inf_nan=False, description="lowest score of a detection, 0..1")
    iou: float = Field(
        0.45, ge=0, le=1, allow_inf_nan=False, description="two boxes of a class that overlap more are one, 0..1"
    )
    classes: list[str] | None = Field(None, max_length=1000, description="labels to keep; all when absent")


class Box(BaseModel):
    """Corners in pixels of the upright picture, x to the right, y down."""

    x1: float
    y1: float
    x2: float
    y2: float


class Detection(BaseModel):
    """One object found."""

    label: str
    class_id: int
    confidence: float
    box: Box


class ImageSize(BaseModel):
    """Size of the upright picture, pixels."""

    width: int
    height: int


class ModelName(BaseModel):
    """The model that answered."""

    name: str
    version: str


class Timings(BaseModel):
    """Milliseconds of each step; the total also holds the time spent waiting for a free engine."""

    fetch: float
    decode: float
    detect: float
    annotate: float
    store: float
    total: float


class PredictAnswer(BaseModel):
    """Where the annotated picture lies, and what is in it, most confident first."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bucket": "yolov7-results",
                "filename": "bus_3f9c2a51d0b7.jpg",
                "location": "https://yolov7-results.s3.eu-central-1.amazonaws.com/bus_3f9c2a51d0b7.jpg?X-Amz-...",
                "detections": [
                    {
                        "label": "bus",
                        "class_id": 5,
                        "confidence": 0.94,
                        "box": {"x1": 17.2, "y1": 230.9, "x2": 802.0, "y2": 768.4},
                    }
                ],
                "image": {"width": 810, "height": 1080},
                "model": {"name": "yolov7-w6", "version": "6d1f0c9a2b3e"},
                "timings_ms": {
                    "fetch": 5.1,
                    "decode": 9.8,
                    "detect": 312.4,
                    "annotate": 2.2,
                    "store": 9.0,
                    "total": 339.1,
                },
            }
        }
    )

    bucket: str = Field(description="bucket of the annotated picture")
    filename: str = Field(description="key of the annotated picture")
    location: str = Field(description="URL of the annotated picture")
    detections: list[Detection]
    image: ImageSize
    model: ModelName
    timings_ms: Timings


class ErrorDetail(BaseModel):
    """What went wrong, in a word for programs and a line for people."""

    code: str
    message: str
    request_id: str


class ErrorAnswer(BaseModel):
    """The one shape of every error."""

    error: ErrorDetail


@dataclass(frozen=True)
class HttpAnswer:
    """An answer ready to be sent."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Instance:
    """One serving process or sandbox; knows its id and whether it has answered before."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    _answered: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def renew(self) -> None:
        """Become another one: for a process that was copied after it had started."""
        with self._lock:
            self.id, self._answered = uuid.uuid4().hex, False

    def headers(self, request_id: str) -> dict[str, str]:
        """The headers of every answer; counts as answering."""
        with self._lock:
            cold, self._answered = not self._answered, True
        return {
            "Content-Type": "application/json",
            "X-Cold-Start": "true" if cold else "false",
            "X-Instance-Id": self.id,
            "X-Request-Id": request_id,
        }


def request_id_from(header: str | None) -> str:
    """Echo the client's request id when it is harmless, else make one."""
    return header if header and _REQUEST_ID.fullmatch(header) else uuid.uuid4().hex


def parse_request(body: bytes, content_type: str | None) -> PredictRequest:
    """Read a request's body; raises NotJson or InvalidRequest.

    A missing type counts as JSON, and so does a form's, which is what `curl -d` sends without being told.
    """
    kind = (content_type or "application/json").split(";")[0].strip().lower()
    if not (kind in ("application/json", "application/x-www-form-urlencoded") or kind.endswith("+json")):
        raise NotJson(f"the request's body is {kind[:100]}; send JSON with Content-Type: application/json")
    if len(body) > MAX_BODY_BYTES:
        raise InvalidRequest(f"the request's body is larger than {MAX_BODY_BYTES} bytes")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise NotJson('the request\'s body is not JSON; send for example {"filename": "bus.jpg"}') from None
    return request_from(data)


def request_from(data: object) -> PredictRequest:
    """Validate an already parsed body; raises InvalidRequest that names the first field at fault."""
    try:
        return PredictRequest.model_validate(data)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        name = ".".join(str(part) for part in error["loc"])[:100] or "the body"
        more = f" (and {exc.error_count() - 1} more)" if exc.error_count() > 1 else ""
        raise InvalidRequest(f"{name}: {_reason(error)}{more}") from None


def _reason(error: Mapping[str, Any]) -> str:
    known = ", ".join(PredictRequest.model_fields)
    reasons = {
        "missing": "is required",
        "extra_forbidden": f"is not a field; known are {known}",
        "model_type": f"must be an object with the fields {known}",
        "value_error": str(error["msg"]).removeprefix("Value error, "),
    }
    return reasons.get(error["type"], str(error["msg"]))


def success(answer: PredictAnswer, instance: Instance, request_id: str) -> HttpAnswer:
    """The 200 answer, with the step times in Server-Timing."""
    timings = answer.timings_ms.model_dump()
    headers = instance.headers(request_id)
    headers["Server-Timing"] = ", ".join(f"{step};dur={timings[step]:g}" for step in (*STEPS, "total"))
    return HttpAnswer(200, headers, answer.model_dump_json().encode())


def failure(error: Exception, instance: Instance, request_id: str) -> HttpAnswer:
    """The answer to an error; of one that is no RequestError, nothing is shown but the request's id."""
    if not isinstance(error, RequestError):
        error = InternalError("an unexpected error; the log has it under this request_id")
    headers = instance.headers(request_id)
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    detail = ErrorDetail(code=error.code, message=str(error), request_id=request_id)
    return HttpAnswer(error.status, headers, ErrorAnswer(error=detail).model_dump_json().encode())
