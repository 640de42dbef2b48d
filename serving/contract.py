"""The contract of /predict: the schemas of request, answer and error.

Both doors use these schemas, and the readers in `serving.bodies`, so they cannot drift apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

STEPS = ("fetch", "decode", "detect", "annotate", "store")

MAX_BODY_BYTES = 65_536  # Of JSON, and of all of a form but its picture.
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
    annotate: bool = Field(True, description="whether the annotated picture is drawn; without it nothing is stored")
    store: bool = Field(True, description="whether the annotated picture is written to the output bucket")


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
    """Milliseconds of each step, 0 for a step that was not needed; `total` includes the wait for a free engine."""

    model_config = ConfigDict(json_schema_extra={"required": [*STEPS, "total"]})

    fetch: float = 0
    decode: float = 0
    detect: float = 0
    annotate: float = 0
    store: float = 0
    total: float

    def taken(self) -> dict[str, float]:
        """The milliseconds of the steps that were taken."""
        return {step: getattr(self, step) for step in STEPS if step in self.model_fields_set}


def _absent(schema: dict[str, Any]) -> None:
    """A field that is absent rather than null has no default in the document."""
    del schema["default"]


class PredictAnswer(BaseModel):
    """What is in the picture, most confident first, and where the annotated picture lies if it was stored."""

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

    bucket: str | SkipJsonSchema[None] = Field(
        None, description="bucket of the annotated picture; absent if it was not stored", json_schema_extra=_absent
    )
    filename: str | SkipJsonSchema[None] = Field(
        None, description="key of the annotated picture; absent if it was not stored", json_schema_extra=_absent
    )
    location: str | SkipJsonSchema[None] = Field(
        None, description="URL of the annotated picture; absent if it was not stored", json_schema_extra=_absent
    )
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


@dataclass(frozen=True)
class Call:
    """A request with what its JSON does not have: the picture that came with it, and the form of the response.

    Without `picture` it is read from the input bucket, in its current version if there is no `version_id`.
    `max_returned_bytes` is the largest picture that a response of this door can hold.
    """

    request: PredictRequest
    picture: bytes | None = None
    returns_picture: bool = False
    max_returned_bytes: int | None = None
    version_id: str | None = None

    @property
    def stores(self) -> bool:
        """Whether the annotated picture is written to the output bucket."""
        return self.request.annotate and self.request.store


@dataclass(frozen=True)
class Answer:
    """What was found, and the annotated picture as JPEG if it was drawn."""

    found: PredictAnswer
    jpeg: bytes | None = None
