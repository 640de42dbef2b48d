from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import TypeVar

import pytest

from detection import errors as detection_errors
from detection.errors import DetectionError, ModelError
from serving import errors as serving_errors
from serving.errors import InternalError, RequestError, to_request_error
from serving.instance import Instance
from serving.respond import failure

Kind = TypeVar("Kind", bound=Exception)

CONTRACT = {
    "InvalidRequest": (400, "invalid_request"),
    "Unauthorized": (401, "unauthorized"),
    "Forbidden": (403, "forbidden"),
    "PathNotFound": (404, "not_found"),
    "MethodNotAllowed": (405, "method_not_allowed"),
    "ImageNotFound": (404, "image_not_found"),
    "ImageTooLarge": (413, "image_too_large"),
    "NotAnImage": (415, "not_an_image"),
    "UnsupportedBody": (415, "unsupported_media_type"),
    "InternalError": (500, "internal_error"),
    "StorageRefused": (502, "storage_refused"),
    "Overloaded": (503, "overloaded"),
    "StorageBusy": (503, "storage_busy"),
    "StorageTimeout": (504, "storage_timeout"),
    "DeadlineExceeded": (504, "deadline_exceeded"),
}


def subclasses(kind: type[Kind]) -> Iterator[type[Kind]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from subclasses(sub)


def test_every_error_has_the_status_and_the_code_of_the_contract() -> None:
    found = {}
    for kind in subclasses(RequestError):
        answer = failure(kind("what went wrong"), Instance(), "id-1")
        error = json.loads(answer.body)["error"]
        assert error == {"code": kind.code, "message": "what went wrong", "request_id": "id-1"}
        found[kind.__name__] = (answer.status, error["code"])
    assert found == CONTRACT


@pytest.mark.parametrize("kind", [kind for kind in subclasses(DetectionError) if kind is not ModelError])
def test_every_error_of_a_detection_has_a_status(kind: type[Exception]) -> None:
    error = to_request_error(kind("what went wrong"))
    assert not isinstance(error, InternalError)
    assert str(error) == "what went wrong"


def test_a_defect_shows_nothing_of_itself() -> None:
    error = to_request_error(KeyError("secret-credential"))
    assert isinstance(error, InternalError)
    assert "secret" not in str(error)


@pytest.mark.parametrize("module", ["detection.errors", "serving.errors"])
def test_the_tree_in_the_docstring_is_complete(module: str) -> None:
    room = {"detection.errors": detection_errors, "serving.errors": serving_errors}[module]
    defined = {name for name, kind in vars(room).items() if inspect.isclass(kind) and kind.__module__ == module}
    drawn = {line.strip("│├└─ ").split()[0] for line in (room.__doc__ or "").splitlines()[2:] if line.strip()}
    assert defined <= drawn


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31mb", "a\u2028b", "a\u202eb", "a\x9bb", "a\ud800b"])
def test_a_name_in_a_message_cannot_forge_a_line_or_break_the_response(text: str) -> None:
    shown = text.encode("unicode_escape").decode()
    assert str(serving_errors.InvalidRequest(f"{text} is wrong")) == f"{shown} is wrong"
    body = json.loads(failure(serving_errors.InvalidRequest(text), Instance(), "1").body)
    assert body["error"]["message"] == shown


def test_other_scripts_are_shown_as_they_are() -> None:
    assert str(serving_errors.InvalidRequest("été/写真-😀.jpg")) == "été/写真-😀.jpg"
