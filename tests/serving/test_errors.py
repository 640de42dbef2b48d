"""Every error has a response, and messages contain neither secrets nor control characters."""

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


def subclasses(kind: type[Kind]) -> Iterator[type[Kind]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from subclasses(sub)


@pytest.mark.parametrize("kind", list(subclasses(RequestError)))
def test_an_error_becomes_a_response_with_its_status_and_code(kind: type[RequestError]) -> None:
    """tests/test_docs.py compares statuses and codes with docs/contract.md."""
    answer = failure(kind("what went wrong"), Instance(), "id-1")
    error = {"code": kind.code, "message": "what went wrong", "request_id": "id-1"}
    assert (answer.status, json.loads(answer.body)) == (kind.status, {"error": error})


@pytest.mark.parametrize("kind", [kind for kind in subclasses(DetectionError) if kind is not ModelError])
def test_every_error_of_detection_has_a_status(kind: type[Exception]) -> None:
    error = to_request_error(kind("what went wrong"))
    assert not isinstance(error, InternalError)
    assert str(error) == "what went wrong"


def test_the_message_of_an_unexpected_error_is_hidden() -> None:
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


def test_names_in_other_scripts_are_shown_unchanged() -> None:
    assert str(serving_errors.InvalidRequest("été/写真-😀.jpg")) == "été/写真-😀.jpg"
