"""Reads a request of either door: JSON that names a picture, or the picture itself, alone or in a form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError

from detection.headers import starts_like_a_picture
from serving.accept import Accepted
from serving.contract import MAX_BODY_BYTES, Call, PredictRequest, legal_key
from serving.errors import ImageTooLarge, InvalidRequest, UnsupportedBody
from serving.forms import MAX_PARTS, is_form, parse_form

# What a query or a form may have.
OPTIONS = tuple(name for name in PredictRequest.model_fields if name != "filename")
NAMELESS = "upload"  # The name of a picture whose request gives it none.


@dataclass(frozen=True)
class Sent:
    """What a door received; `query` is the part of the URL after '?'."""

    accepted: Accepted
    content_type: str
    query: str
    body: bytes


def read_call(sent: Sent, *, max_image_bytes: int, max_returned_bytes: int | None = None) -> Call:
    """Decide which kind of body it is, and read it; raises RequestError. A body's options override the query's.

    A body that parses as JSON is JSON, whatever its declared type: many clients send JSON as text/plain or as a form.
    """
    check_size(len(sent.body), sent.content_type, sent.body, max_image_bytes)
    query = options_from(_pairs(sent.query))
    request_from({"filename": NAMELESS, **query})  # A wrong value is refused even where the body overrides it.
    picture: bytes | None = None
    data = _json_or_none(sent.body)
    if data is not None:
        request = request_from({**query, **data} if isinstance(data, dict) else data)
    else:
        picture, filename, options = _picture(sent)
        if len(picture) > max_image_bytes:
            raise _too_large(max_image_bytes)
        request = request_from({"filename": _key_name(filename), "store": False, **query, **options})
    return Call(request, picture, sent.accepted.returns_picture(request), max_returned_bytes)


def check_size(size: int, content_type: str, start: bytes, max_image_bytes: int) -> None:
    """Judge the size of a body by what it seems to be; raises ImageTooLarge or InvalidRequest.

    `start` is the part of the body that is already there.
    """
    if size <= MAX_BODY_BYTES:
        return
    form = is_form(content_type)
    if not form and not _is_picture(content_type, start):
        raise InvalidRequest(f"the request's body is larger than {MAX_BODY_BYTES} bytes")
    if size > max_image_bytes + (MAX_BODY_BYTES if form else 0):
        raise _too_large(max_image_bytes)


def parse_json(text: bytes) -> object:
    """Parse JSON in UTF-8, with or without a byte order mark; raises UnsupportedBody, or InvalidRequest for a field
    that is given twice, because clients and proxies do not agree on which of the two counts.
    """
    try:
        return json.loads(text.decode("utf-8-sig"), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        raise UnsupportedBody(
            'the request\'s body is not JSON in UTF-8; send for example {"filename": "bus.jpg"}, or a picture'
        ) from None


def request_from(data: object) -> PredictRequest:
    """Validate an already parsed request; raises InvalidRequest that names the first field at fault."""
    try:
        return PredictRequest.model_validate(data)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        name = ".".join(str(part) for part in error["loc"])[:100] or "the body"
        more = f" (and {exc.error_count() - 1} more)" if exc.error_count() > 1 else ""
        raise InvalidRequest(f"{name}: {_reason(error)}{more}") from None


def options_from(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Options in text as JSON would have them; `classes` is given once per label. Raises InvalidRequest."""
    found: dict[str, Any] = {}
    for name, text in pairs:
        if name not in OPTIONS:
            raise InvalidRequest(f"{name[:100]}: is not an option; known are {', '.join(OPTIONS)}")
        if name == "classes":
            found.setdefault(name, []).append(text)
        else:
            found = _without_duplicates([*found.items(), (name, _value(text))])
    return found


def _json_or_none(body: bytes) -> object | None:
    """The body if it is JSON; JSON's null, which is not a request either, becomes an empty list."""
    if len(body) > MAX_BODY_BYTES:
        return None
    try:
        data = parse_json(body)
    except UnsupportedBody:
        return None
    return [] if data is None else data


def _picture(sent: Sent) -> tuple[bytes, str, dict[str, Any]]:
    """The picture, its file name and the options of a body that is not JSON."""
    if is_form(sent.content_type):
        form = parse_form(sent.body, sent.content_type)
        return form.picture, form.filename, options_from(form.options)
    if _is_picture(sent.content_type, sent.body):
        return sent.body, "", {}
    raise UnsupportedBody(
        "the request's body is neither JSON in UTF-8, nor a picture, nor a form with a picture; send for example "
        '{"filename": "bus.jpg"}'
    )


def _is_picture(content_type: str, start: bytes) -> bool:
    return content_type.strip().lower().startswith("image/") or starts_like_a_picture(start)


def _too_large(limit: int) -> ImageTooLarge:
    return ImageTooLarge(f"the upload has more than {limit / 1e6:g} MB (MAX_IMAGE_BYTES): send a smaller picture")


def _key_name(filename: str) -> str:
    """The name of an upload in the log and in its result's key: the last part of its path, if that is legal."""
    name = re.split(r"[/\\]", filename)[-1]
    try:
        return legal_key(name)
    except ValueError:
        return NAMELESS


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=MAX_PARTS)
    except ValueError:
        raise InvalidRequest(f"the URL's query has more than {MAX_PARTS} options") from None


def _value(text: str) -> object:
    """A number, true or false; other text stays text, which no option takes."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidRequest(f"{name[:100]}: is given more than once")
        found[name] = value
    return found


def _reason(error: Mapping[str, Any]) -> str:
    known = ", ".join(PredictRequest.model_fields)
    reasons = {
        "missing": "is required",
        "extra_forbidden": f"is not a field; known are {known}",
        "model_type": f"must be an object with the fields {known}",
        "value_error": str(error["msg"]).removeprefix("Value error, "),
    }
    return reasons.get(error["type"], str(error["msg"]))
