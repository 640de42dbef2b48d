"""The contract of /predict: the schemas of request, answer and error, and the parser of request bodies.

Both doors use these schemas and this parser, so they cannot drift apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from serving.errors import InvalidRequest, UnsupportedBody

STEPS = ("fetch", "decode", "detect", "annotate", "store")

MAX_BODY_BYTES = 65_536
MAX_KEY_BYTES = 1024

# `legal_key` as a regular expression, for the OpenAPI document: no control characters, no segment '', '.' or '..'.
KEY_PATTERN = r"^(?!(?:.*/)?\.{0,2}(?:/|$))[^\u0000-\u001f\u007f-\u009f\u2028\u2029]+$"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def valid_unicode(text: str) -> str:
    """Return the text unchanged; raises ValueError for lone surrogates, which JSON can escape but UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


def legal_key(filename: str) -> str:
    """Return the S3 key unchanged; raises ValueError when S3 or a URL would not preserve it."""
    size = len(valid_unicode(filename).encode())
    if not 1 <= size <= MAX_KEY_BYTES:
        raise ValueError(f"must have 1 to {MAX_KEY_BYTES} bytes in UTF-8, but has {size}")
    if _CONTROL.search(filename):
        raise ValueError("must not contain control characters")
    if filename.startswith("/") or {"", ".", ".."} & set(filename.split("/")):
        raise ValueError("must not start or end with '/', nor contain the path segments '', '.' or '..'")
    return filename


class PredictRequest(BaseModel):
    """A picture in the input bucket, and the options of the detection."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={"example": {"filename": "bus.jpg", "confidence": 0.5}},
    )

    filename: Annotated[str, AfterValidator(legal_key)] = Field(
        description="key of the picture in the input bucket",
        json_schema_extra={"minLength": 1, "maxLength": MAX_KEY_BYTES, "pattern": KEY_PATTERN},
    )
    confidence: float = Field(0.25, ge=0, le=1, allow_inf_nan=False, description="lowest score of a detection, 0..1")
    iou: float = Field(
        0.45,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="a box that overlaps a more confident one of its class by more is dropped, 0..1",
    )
    classes: list[Annotated[str, AfterValidator(valid_unicode)]] | None = Field(
        None, max_length=1000, description="labels to keep; all when absent"
    )


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
    """The model that produced the answer."""

    name: str
    version: str


class Timings(BaseModel):
    """Milliseconds of each step; `total` includes the time spent waiting for a free engine."""

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
    """What went wrong: a code for programs and a line for people."""

    code: str
    message: str
    request_id: str


class ErrorAnswer(BaseModel):
    """The one shape of every error."""

    error: ErrorDetail


def parse_request(body: bytes) -> PredictRequest:
    """Read a request's body, JSON in UTF-8; raises UnsupportedBody or InvalidRequest.

    The declared type is not asked for: many clients send JSON as text/plain or as a form.
    """
    if len(body) > MAX_BODY_BYTES:
        raise InvalidRequest(f"the request's body is larger than {MAX_BODY_BYTES} bytes")
    return request_from(parse_json(body))


def parse_json(text: bytes) -> object:
    """Parse JSON in UTF-8, with or without a byte order mark; raises UnsupportedBody, or InvalidRequest for a field
    that is given twice, because clients and proxies do not agree on which of the two counts.
    """
    try:
        return json.loads(text.decode("utf-8-sig"), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        raise UnsupportedBody(
            'the request\'s body is not JSON in UTF-8; send for example {"filename": "bus.jpg"}'
        ) from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidRequest(f"{name[:100]}: is given more than once")
        found[name] = value
    return found


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
