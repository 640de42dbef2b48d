"""The parser of request bodies: JSON, legal keys, and messages that name the wrong field."""

from __future__ import annotations

import json

import pytest

from serving.contract import PredictRequest, parse_request
from serving.errors import InvalidRequest, NotJson


@pytest.mark.parametrize("kind", [None, "application/json", "APPLICATION/JSON; charset=utf-8", "application/x+json"])
def test_a_json_body_is_parsed(kind: str | None) -> None:
    assert parse_request(b'{"filename": "bus.jpg"}', kind) == PredictRequest(filename="bus.jpg")


def test_json_with_the_default_content_type_of_curl_is_parsed() -> None:
    assert parse_request(b'{"filename": "bus.jpg"}', "application/x-www-form-urlencoded").filename == "bus.jpg"


NOT_JSON = [
    (b"\x80\x04\x95", "application/vnd.bentoml+pickle"),
    (b'{"filename": "bus.jpg"}', "application/vnd.bentoml+pickle"),
    (b'{"filename": "bus.jpg"}', "text/plain"),
    (b"--x", "multipart/form-data; boundary=x"),
    (b"\x80\x04\x95", "application/json"),
    (b"filename=bus.jpg", "application/x-www-form-urlencoded"),
    (b"", "application/json"),
    (b"[" * 60_000, "application/json"),
    (b'{"filename": "\xff"}', "application/json"),
]


@pytest.mark.parametrize(("body", "kind"), NOT_JSON)
def test_a_body_that_is_not_json_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(NotJson):
        parse_request(body, kind)


LEGAL_KEYS = [
    "bus.jpg",
    "a/b/c.png",
    "été à la mer.jpg",
    "写真.jpg",
    "a+b%20c?d#e.jpg",
    "..bus..jpg",
    "a\\b",
    "x" * 1024,
]


@pytest.mark.parametrize("key", LEGAL_KEYS)
def test_a_legal_key_is_accepted(key: str) -> None:
    assert parse_request(json.dumps({"filename": key}).encode(), None).filename == key


INVALID = [
    ("[]", "the body: must be an object"),
    ('"bus.jpg"', "the body: must be an object"),
    ("null", "the body: must be an object"),
    ("{}", "filename: is required"),
    ('{"filename": 7}', "filename: "),
    ('{"filename": ""}', "filename: must have 1 to 1024 bytes in UTF-8, but has 0"),
    (json.dumps({"filename": "x" * 2000}), "filename: must have 1 to 1024 bytes in UTF-8, but has 2000"),
    (json.dumps({"filename": "é" * 513}), "filename: must have 1 to 1024 bytes in UTF-8, but has 1026"),
    ('{"filename": "../etc/passwd"}', "filename: must not"),
    ('{"filename": "a/../b.jpg"}', "filename: must not"),
    ('{"filename": "/bus.jpg"}', "filename: must not"),
    ('{"filename": "a//b.jpg"}', "filename: must not"),
    ('{"filename": "folder/"}', "filename: must not"),
    ('{"filename": "a\\u0000b.jpg"}', "filename: must not contain control characters"),
    ('{"filename": "a\\r\\nb.jpg"}', "filename: must not contain control characters"),
    ('{"filename": "\\ud800.jpg"}', "filename: "),
    ('{"filename": "a.jpg", "confidence": 7}', "confidence: Input should be less than or equal to 1"),
    ('{"filename": "a.jpg", "confidence": -0.1}', "confidence: "),
    ('{"filename": "a.jpg", "confidence": NaN}', "confidence: Input should be a finite number"),
    ('{"filename": "a.jpg", "confidence": 1e999}', "confidence: "),
    ('{"filename": "a.jpg", "confidence": "0.5"}', "confidence: "),
    ('{"filename": "a.jpg", "confidence": true}', "confidence: "),
    ('{"filename": "a.jpg", "confidence": null}', "confidence: "),
    ('{"filename": "a.jpg", "iou": 2}', "iou: "),
    ('{"filename": "a.jpg", "classes": "bus"}', "classes: "),
    ('{"filename": "a.jpg", "classes": [1]}', "classes.0: "),
    ('{"filename": "a.jpg", "size": 3}', "size: is not a field; known are filename, confidence, iou, classes"),
    ('{"filename": "a.jpg", "iou": 2, "confidence": 2}', "(and 1 more)"),
    (json.dumps({"filename": "a.jpg", "classes": ["x" * 70_000]}), "larger than 65536 bytes"),
]


@pytest.mark.parametrize(("body", "message"), INVALID)
def test_the_error_of_an_invalid_request_names_the_field(body: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(body.encode(), "application/json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
