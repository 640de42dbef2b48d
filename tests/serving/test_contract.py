from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from detection.errors import InvalidRequest, NotJson, Overloaded, RequestError
from serving.contract import Instance, PredictRequest, failure, parse_request, request_id_from, success
from serving.contract import PredictAnswer as Answer
from serving.predictor import Stopwatch


def subclasses(kind: type[RequestError]) -> Iterator[type[RequestError]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from subclasses(sub)


CONTRACT = {
    "InvalidRequest": (400, "invalid_request"),
    "ImageNotFound": (404, "image_not_found"),
    "ImageTooLarge": (413, "image_too_large"),
    "NotAnImage": (415, "not_an_image"),
    "NotJson": (415, "not_an_image"),
    "Overloaded": (503, "overloaded"),
    "StorageRefused": (502, "storage_refused"),
    "StorageTimeout": (504, "storage_timeout"),
    "InternalError": (500, "internal_error"),
}


def test_every_error_has_the_status_and_the_code_of_the_contract() -> None:
    found = {}
    for kind in subclasses(RequestError):
        answer = failure(kind("what went wrong"), Instance(), "id-1")
        error = json.loads(answer.body)["error"]
        assert error == {"code": kind.code, "message": "what went wrong", "request_id": "id-1"}
        found[kind.__name__] = (answer.status, error["code"])
    assert found == CONTRACT


def test_an_unexpected_error_shows_nothing_of_itself() -> None:
    answer = failure(KeyError("secret-credential"), Instance(), "id-1")
    assert answer.status == 500
    assert b"secret" not in answer.body


def test_overloaded_says_when_to_come_back() -> None:
    assert failure(Overloaded("full"), Instance(), "id").headers["Retry-After"] == "1"


def test_only_the_first_answer_of_a_process_is_cold() -> None:
    instance = Instance()
    first, second = instance.headers("a"), instance.headers("b")
    assert (first["X-Cold-Start"], second["X-Cold-Start"]) == ("true", "false")
    assert first["X-Instance-Id"] == second["X-Instance-Id"] != Instance().id


def test_success_names_the_five_steps_in_server_timing() -> None:
    clock = Stopwatch()
    for step in ("fetch", "decode", "detect", "annotate", "store"):
        with clock.measure(step):
            pass
    example = Answer.model_config["json_schema_extra"]["example"]  # type: ignore[index]
    answer = Answer.model_validate(example | {"timings_ms": {**clock.laps_ms, "total": clock.total_ms()}})  # type: ignore[operator]
    names = [part.split(";dur=")[0] for part in success(answer, Instance(), "id").headers["Server-Timing"].split(", ")]
    assert names == ["fetch", "decode", "detect", "annotate", "store", "total"]


@pytest.mark.parametrize("header", ["abc-123", "Root=1-5759e988-bd862e3fe1be46a994272793"])
def test_a_harmless_request_id_is_echoed(header: str) -> None:
    assert request_id_from(header) == header


@pytest.mark.parametrize("header", [None, "", "a b", "x\r\nSet-Cookie: y", "a" * 129, "é"])
def test_any_other_request_id_is_replaced(header: str | None) -> None:
    assert request_id_from(header) != header
    assert len(request_id_from(header)) == 32


@pytest.mark.parametrize("kind", [None, "application/json", "APPLICATION/JSON; charset=utf-8", "application/x+json"])
def test_json_is_read(kind: str | None) -> None:
    assert parse_request(b'{"filename": "bus.jpg"}', kind) == PredictRequest(filename="bus.jpg")


def test_what_curl_sends_without_being_told_is_read_as_json() -> None:
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
def test_legal_keys_pass(key: str) -> None:
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
def test_invalid_requests_name_the_field(body: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(body.encode(), "application/json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
