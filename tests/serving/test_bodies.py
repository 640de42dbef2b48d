"""The readers of request bodies: JSON, pictures, forms and options, and messages that name the wrong field."""

from __future__ import annotations

import json
import re

import pytest

from serving.accept import Accepted
from serving.bodies import Sent, read_call
from serving.contract import KEY_PATTERN, Call, PredictRequest, legal_key
from serving.errors import InvalidRequest, UnsupportedBody

BUS = '{"filename": "bus.jpg"}'
LIMIT = 200_000


def read(body: bytes, content_type: str = "", query: str = "", accepted: Accepted = Accepted()) -> Call:  # noqa: B008
    return read_call(Sent(accepted, content_type, query, body), max_image_bytes=LIMIT)


def parse_request(body: bytes) -> PredictRequest:
    """The request of a body that is JSON."""
    call = read(body)
    assert call.picture is None
    return call.request


@pytest.mark.parametrize("body", [BUS.encode(), BUS.encode("utf-8-sig"), f"\r\n {BUS}\n".encode()])
def test_json_is_read(body: bytes) -> None:
    assert parse_request(body) == PredictRequest(filename="bus.jpg")


NOT_JSON = [
    b"\x80\x04\x95",
    b"--x\r\nContent-Disposition: form-data",
    b"filename=bus.jpg",
    b"",
    b"[" * 60_000,
    b'{"filename": "\xff"}',
    b'{"filename": "\xed\xa0\x80.jpg"}',
    b"\xff\xfe",
    BUS.encode("utf-16"),
    BUS.encode("utf-16-be"),
    BUS.encode("utf-32"),
    b"\x00" * 4,
    b'{"filename": ' + b"9" * 60_000 + b"}",
]


@pytest.mark.parametrize("body", NOT_JSON)
def test_a_body_that_is_not_json_in_utf_8_is_refused(body: bytes) -> None:
    with pytest.raises(UnsupportedBody):
        parse_request(body)


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
def test_legal_keys_pass(key: str) -> None:
    assert parse_request(json.dumps({"filename": key}).encode()).filename == key


ILLEGAL_KEYS = [
    "",
    "/a.jpg",
    "a/",
    "a//b",
    ".",
    "..",
    "./a",
    "a/..",
    "a/./b",
    "../a",
    "a\nb",
    "a\x9b",
    "a\u2028",
    "a\n",
]


@pytest.mark.parametrize("key", [*LEGAL_KEYS, *ILLEGAL_KEYS])
def test_the_published_pattern_is_what_the_code_does(key: str) -> None:
    assert bool(re.fullmatch(KEY_PATTERN, key)) == (key in LEGAL_KEYS)
    if key in ILLEGAL_KEYS:
        with pytest.raises(ValueError, match="must"):
            legal_key(key)


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
    ('{"filename": "a.jpg", "classes": ["\\ud800"]}', "classes.0: must be valid Unicode"),
    ('{"filename": "a.jpg", "size": 3}', "size: is not a field; known are filename, confidence, iou, classes"),
    ('{"filename": "a.jpg", "iou": 2, "confidence": 2}', "(and 1 more)"),
    ('{"filename": "a.jpg", "filename": "b.jpg"}', "filename: is given more than once"),
    ('{"filename": "a.jpg", "iou": 0, "\\u0069ou": 0}', "iou: is given more than once"),
    ('{"a\\nb": 1, "a\\nb": 1}', "a\\nb: is given more than once"),
    (json.dumps({"filename": "a.jpg", "classes": ["x" * 70_000]}), "larger than 65536 bytes"),
]


@pytest.mark.parametrize(("body", "message"), INVALID)
def test_the_error_of_an_invalid_request_names_the_field(body: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(body.encode())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
