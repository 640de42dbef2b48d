"""Invocations by S3 Batch Operations with a fake engine and storage; tests/test_lambda.py uses the real runtime."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import S3BatchOperationEvent, S3BatchOperationResponse

from detection.errors import UnknownLabel
from serving.aws import observe
from serving.aws.batch_events import MAX_RESULT
from serving.bounds import Deadline
from serving.errors import (
    DeadlineExceeded,
    Forbidden,
    ImageNotFound,
    ImageTooLarge,
    InternalError,
    InvalidRequest,
    NotAnImage,
    Overloaded,
    RequestError,
    StorageBusy,
    StorageRefused,
    StorageTimeout,
)
from serving.storage import Fetched
from tests.fakes import FakeStorage
from tests.serving.aws.test_events import PICTURE, Context, answering, emitted, recorded

SCHEMAS = ("s3-batch-1.0", "s3-batch-2.0")
each_schema = pytest.mark.parametrize("name", SCHEMAS)


def changed(name: str, **task: object) -> Any:
    """A recorded invocation whose task has these fields; a field of None is removed."""
    event = recorded(name)
    event["tasks"][0] |= task
    for field in [field for field, value in task.items() if value is None]:
        del event["tasks"][0][field]
    return event


def with_arguments(arguments: object) -> Any:
    event = recorded("s3-batch-2.0")
    event["job"]["userArguments"] = arguments
    return event


def result(answered: Any) -> tuple[str, Any]:
    """The code of the only result and its text, which is JSON that S3's report can hold."""
    [found] = answered["results"]
    assert len(found["resultString"]) <= MAX_RESULT
    assert re.fullmatch("[ -~]+", found["resultString"])
    return found["resultCode"], json.loads(found["resultString"])


def refusal(answered: Any, code: str = "PermanentFailure") -> str:
    """The message of the only result, which has failed."""
    ended, text = result(answered)
    assert (ended, text["error"]["request_id"]) == (code, "invocation-1")
    return str(text["error"]["message"])


@each_schema
def test_a_task_is_answered_in_the_form_that_s3_wants(name: str, answer: Any, storage: FakeStorage) -> None:
    event = recorded(name)
    answered = answer(event)
    code, text = result(answered)
    assert (code, text) == (
        "Succeeded",
        {"filename": next(iter(storage.stored)), "detections": 2, "labels": {"bus": 1, "car": 1}},
    )
    read = S3BatchOperationEvent(event)
    expected = S3BatchOperationResponse(read.invocation_schema_version, read.invocation_id, "PermanentFailure")
    expected.add_result(read.task.build_task_batch_response("Succeeded", json.dumps(text, separators=(",", ":"))))
    assert answered == expected.asdict()


@each_schema
def test_the_same_task_again_writes_the_same_key(name: str, answer: Any, storage: FakeStorage) -> None:
    assert answer(recorded(name)) == answer(recorded(name))
    assert len(storage.stored) == 1


@each_schema
@pytest.mark.parametrize("key", ["my%20picture%C3%A9.jpg", "my+picture%C3%A9.jpg"])
def test_a_key_is_url_encoded(name: str, key: str, answer: Any, storage: FakeStorage) -> None:
    assert result(answer(changed(name, s3Key=key)))[0] == "Succeeded"
    assert next(iter(storage.stored)).startswith("annotated/my pictureé_")


@pytest.mark.parametrize(
    ("version", "read"), [(None, None), ("", None), ("3HL4kqtJlcpXroDTDmJ", "3HL4kqtJlcpXroDTDmJ")]
)
def test_a_task_reads_the_version_that_it_names(
    version: str | None, read: str | None, answer: Any, storage: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []

    def fetch(key: str, deadline: Deadline, version_id: str | None) -> Fetched:
        asked.append((key, version_id))
        return Fetched(PICTURE, "1")

    monkeypatch.setattr(storage, "fetch", fetch)
    event = recorded("s3-batch-1.0")
    event["tasks"][0]["s3VersionId"] = version
    assert result(answer(event))[0] == "Succeeded"
    assert asked == [("scene-1.jpg", read)]


# Options


def test_arguments_are_options_of_the_request(answer: Any, storage: FakeStorage) -> None:
    arguments = {"confidence": "0.8", "iou": "0.5", "classes": "bus, car", "annotate": "false"}
    assert result(answer(with_arguments(arguments))) == ("Succeeded", {"detections": 1, "labels": {"bus": 1}})
    assert storage.stored == {}


@pytest.mark.parametrize("arguments", [None, {}])
def test_a_job_needs_no_arguments(arguments: object, answer: Any) -> None:
    assert result(answer(with_arguments(arguments)))[1]["detections"] == 2


ARGUMENTS: list[tuple[object, str]] = [
    ({"conf": "0.4"}, "conf: is not an option; known are confidence, iou, classes, annotate, store"),
    ({"filename": "scene-1.jpg"}, "filename: is not an option; known are confidence, iou, classes, annotate, store"),
    ({"confidence": "7"}, "confidence: Input should be less than or equal to 1"),
    ({"confidence": "high"}, "confidence: Input should be a valid number"),
    ({"confidence": 0.4}, "confidence: must be a string of at most 1024 characters"),
    ({"classes": "bus,lorry"}, "classes: 'lorry' is not a label of fake; known are bus, car"),
    ({"classes": "," * 1025}, "classes: must be a string of at most 1024 characters"),
    ({"store": "yes"}, "store: Input should be a valid boolean"),
    ({str(n): "1" for n in range(11)}, "job: must be an object, and its userArguments an object of at most 10 fields"),
    ("confidence=0.4", "job: must be an object, and its userArguments an object of at most 10 fields"),
]


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS)
def test_a_wrong_argument_is_refused_by_name(
    arguments: object, message: str, answer: Any, storage: FakeStorage
) -> None:
    assert refusal(answer(with_arguments(arguments))).startswith(message)
    assert storage.stored == {}


# Failures


@each_schema
def test_a_missing_picture_is_a_permanent_failure(name: str, answer: Any) -> None:
    assert refusal(answer(changed(name, s3Key="gone.jpg"))).startswith("gone.jpg is not in bucket pictures")


def test_a_file_that_is_no_picture_is_a_permanent_failure(answer: Any, storage: FakeStorage) -> None:
    storage.pictures["notes.txt"] = b"no picture"
    assert refusal(answer(changed("s3-batch-1.0", s3Key="notes.txt"))).startswith("notes.txt ")


PERMANENT = (InvalidRequest, Forbidden, ImageNotFound, NotAnImage, ImageTooLarge)
TEMPORARY = (InternalError, StorageRefused, Overloaded, StorageBusy, StorageTimeout, DeadlineExceeded)
FAILURES: list[tuple[Exception, str, str]] = [
    *((kind("x"), "PermanentFailure", kind.code) for kind in PERMANENT),
    *((kind("x"), "TemporaryFailure", kind.code) for kind in TEMPORARY),
    (UnknownLabel("x"), "PermanentFailure", "invalid_request"),
    (RuntimeError("password=hunter2"), "TemporaryFailure", "internal_error"),
]


@pytest.mark.parametrize(("error", "code", "name"), FAILURES)
def test_s3_tries_a_task_again_unless_the_request_is_at_fault(
    error: Exception, code: str, name: str, answer: Any, storage: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Fetched:
        raise error

    monkeypatch.setattr(storage, "fetch", fail)
    answered = answer(recorded("s3-batch-2.0"))
    ended, text = result(answered)
    assert (ended, text["error"]["code"]) == (code, name)
    assert "hunter2" not in json.dumps(answered)


def test_every_error_of_the_contract_has_a_status_that_decides() -> None:
    assert {kind.status // 100 for kind in RequestError.__subclasses__()} == {4, 5}


def test_a_task_ends_before_lambda_ends_the_invocation(
    answer: Any, storage: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(Context, "left_ms", 700)  # Half a second of it is reserved for the response.
    monkeypatch.setattr(storage, "fetch", lambda *_: go_on.wait() and Fetched(PICTURE, "1"))
    late = answer(recorded("s3-batch-2.0"))
    go_on.set()
    assert refusal(late, "TemporaryFailure").startswith("the request was stopped after 0.2 s")


# What is skipped


@each_schema
def test_a_folder_is_skipped(name: str, answer: Any) -> None:
    code, text = result(answer(changed(name, s3Key="2024/")))
    assert (code, text["skipped"][:24]) == ("Succeeded", "2024/ in bucket pictures")


@each_schema
@pytest.mark.parametrize("prefix", ["", "annotated/"])
def test_the_results_of_an_earlier_job_in_the_same_bucket_are_skipped(
    name: str, prefix: str, storage: FakeStorage
) -> None:
    for answer in answering(storage, output_bucket="pictures", result_prefix=prefix):
        key = result(answer(recorded(name)))[1]["filename"]
        storage.pictures[key] = storage.stored[key]
        code, text = result(answer(changed(name, s3Key=key)))
        assert (code, [*text], text["skipped"].startswith(key)) == ("Succeeded", ["skipped"], True)
    assert len(storage.stored) == 1


# The text of a result


@pytest.mark.parametrize("character", ["a", "é", "写", "😀"])
def test_a_long_key_keeps_its_ends_in_the_report(character: str, answer: Any, storage: FakeStorage) -> None:
    key = "2024/" + character * (1000 // len(character.encode())) + ".jpg"
    storage.pictures[key] = PICTURE
    code, text = result(answer(changed("s3-batch-2.0", s3Key=key)))
    [stored] = storage.stored
    head, tail = text["filename"].split("...")
    assert (code, text["detections"]) == ("Succeeded", 2)
    assert stored.startswith(head) and stored.endswith(tail) and head and "_" in tail


def test_a_long_message_keeps_its_ends_in_the_report(answer: Any) -> None:
    message = refusal(answer(changed("s3-batch-2.0", s3Key="写" * 300)))
    assert message.startswith("写写") and message.endswith(": upload it first")
    assert "..." in message


def test_labels_that_do_not_fit_the_report_are_left_out(answer: Any, storage: FakeStorage) -> None:
    key = "a" * 960 + ".jpg"
    storage.pictures[key] = PICTURE
    code, text = result(answer(changed("s3-batch-2.0", s3Key=key)))
    assert (code, [*text], [text["filename"]]) == ("Succeeded", ["filename", "detections"], [*storage.stored])


# Logs and metrics


def test_a_task_is_counted_as_any_request(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for key in ("scene-1.jpg", "gone.jpg", "2024/"):
        answer(changed("s3-batch-1.0", s3Key=key))
    [by_code] = emitted(capsys.readouterr().out)
    assert (by_code["code"], by_code["errors"]) == ("image_not_found", [1.0])
    counted = dict(observe.metrics.serialize_metric_set())
    assert {name: counted[name] for name in ("events", "errors", "skipped", "detections")} == {
        "events": [1.0, 1.0, 1.0], "errors": [1.0], "skipped": [1.0], "detections": [2.0],
    }  # fmt: skip
    assert {"fetch", "detect", "store"} <= set(counted)
