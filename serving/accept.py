"""The form of a response: what a request's Accept header allows, JSON or the annotated picture."""

from __future__ import annotations

import re
from dataclasses import dataclass

from serving.contract import PredictRequest
from serving.errors import NotAcceptable

JSON, JPEG = "application/json", "image/jpeg"

_RANGE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+|[\w!#$&^.+-]+/\*|\*/\*")
_QUALITY = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


@dataclass(frozen=True)
class Accepted:
    """How much a client wants each form, 0..1; 0 is not at all."""

    json: float = 1
    jpeg: float = 0

    def returns_picture(self, request: PredictRequest) -> bool:
        """Whether the response is the picture; raises NotAcceptable if the request asks for none but accepts no JSON.

        JSON is the form of a client that wants both alike.
        """
        if self.jpeg > self.json and request.annotate:
            return True
        if not self.json:
            raise NotAcceptable(f"without the annotated picture (annotate is false) only {JSON} can be answered")
        return False


def read_accept(header: str | None) -> Accepted:
    """Read an Accept header; without one, JSON is accepted. Raises NotAcceptable when neither form is.

    As RFC 9110 says, the most specific range that names a form counts. What is not a media range is ignored.
    """
    if not header or not header.strip():
        return Accepted()
    ranges: dict[str, float] = {}
    for part in header.split(","):
        name, *parameters = (text.strip().lower() for text in part.split(";"))
        if _RANGE.fullmatch(name):
            quality = next((float(found[1]) for text in parameters if (found := _QUALITY.fullmatch(text))), 1.0)
            ranges[name] = max(quality, ranges.get(name, 0.0))
    accepted = Accepted(_quality(JSON, ranges), _quality(JPEG, ranges))
    if not accepted.json and not accepted.jpeg:
        raise NotAcceptable(
            f"Accept: {header.strip()[:100]} cannot be answered; ask for {JSON}, or for the annotated picture as {JPEG}"
        )
    return accepted


def _quality(form: str, ranges: dict[str, float]) -> float:
    for name in (form, f"{form.partition('/')[0]}/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return 0.0
