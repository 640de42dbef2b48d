"""Messages of a queue, with a fake engine and storage."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from serving.errors import EventFailed
from serving.events import NewObjects
from serving.instance import Instance
from serving.messages import MAX_MESSAGE_BYTES, MAX_RECORDS, Messages
from serving.respond import Responder
from tests.conftest import to_jpeg
from tests.fakes import SETTINGS, FakeStorage, RecordingObserver, predictor

PICTURE = to_jpeg(np.zeros((64, 64, 3), np.uint8))
RECORD = {
    "eventSource": "aws:s3",
    "eventName": "ObjectCreated:Put",
    "s3": {"bucket": {"name": "pictures"}, "object": {"key": "a.jpg", "size": 9}},
}


def by_sns(message: str) -> str:
    """A message as SNS sends it to a queue."""
    topic = "arn:aws:sns:eu-central-1:123456789012:pictures"
    return json.dumps({"Type": "Notification", "MessageId": "1", "TopicArn": topic, "Message": message})


class Observer(RecordingObserver):
    """Keeps the reasons of skipped events, too."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[str] = []

    def skipped(self, reason: Exception, request_id: str) -> None:
        self.reasons.append(str(reason))


def answered(body: str) -> tuple[Observer, FakeStorage, str]:
    """What the observer and the storage have after a message, and the error that it raised."""
    observer, ours = Observer(), predictor()
    ours.storage = storage = FakeStorage({"a.jpg": PICTURE})
    messages = Messages(NewObjects(SETTINGS, observer), Responder(Instance(), observer))
    try:
        messages.answer(body, ours.predict, "message-1")
    except EventFailed as exc:
        return observer, storage, str(exc)
    return observer, storage, ""


@pytest.mark.parametrize("message", [{"filename": "a.jpg"}, {"Records": [RECORD]}, {"Records": [RECORD] * MAX_RECORDS}])
@pytest.mark.parametrize("way", [str, by_sns])
def test_a_request_and_an_event_give_the_same_result(message: object, way: Callable[[str], str]) -> None:
    observer, storage, error = answered(way(json.dumps(message)))
    assert (error, observer.errors) == ("", [])
    assert [key.partition("_")[0] for key in storage.stored] == ["annotated/a"]
    assert {request_id for _, _, request_id in observer.answers} == {"message-1"}


def test_a_folder_and_a_result_are_skipped() -> None:
    folder = {**RECORD, "s3": {"bucket": {"name": "pictures"}, "object": {"key": "a/", "size": 0}}}
    own = {**RECORD, "s3": {"bucket": {"name": "results"}, "object": {"key": "annotated/a_1.jpg", "size": 9}}}
    observer, storage, error = answered(json.dumps({"Records": [folder, own]}))
    assert (error, observer.errors, storage.stored) == ("", [], {})
    assert len(observer.reasons) == 2


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("", "unsupported_media_type", "is not JSON in UTF-8"),
        ("\ud800", "unsupported_media_type", "is not JSON in UTF-8"),
        ("[" * 100_000, "unsupported_media_type", "is not JSON in UTF-8"),
        ("[]", "invalid_request", "the message is not a JSON object"),
        ('{"filename": "a.jpg", "filename": "b.jpg"}', "invalid_request", "filename: is given more than once"),
        (f'"{"x" * MAX_MESSAGE_BYTES}"', "invalid_request", f"has {MAX_MESSAGE_BYTES + 2} bytes; the limit of SQS is"),
        (json.dumps({"Records": [RECORD] * (MAX_RECORDS + 1)}), "invalid_request", "send at most 100 in a message"),
        (json.dumps({"Records": [{"EventSource": "aws:sns"}]}), "invalid_request", "an event of aws:sns is not"),
        (json.dumps({"Records": 7}), "invalid_request", "an event of Records is not understood"),
        (json.dumps({"Records": [{"eventSource": "aws:s3"}]}), "invalid_request", "the S3 event is incomplete"),
        (json.dumps({"filename": "b.jpg"}), "image_not_found", "b.jpg is not in bucket pictures"),
        (by_sns("an alarm in words"), "unsupported_media_type", "is not JSON in UTF-8"),
        (by_sns("[]"), "invalid_request", "the message is not a JSON object"),
        (by_sns(json.dumps({"AlarmName": "x"})), "invalid_request", "filename: is required"),
        (
            by_sns(json.dumps({"source": "aws.ec2", "detail-type": "x"})),
            "invalid_request",
            "an event of aws.ec2 is not",
        ),
    ],
)
def test_each_failure_is_observed_once_with_a_code_of_the_contract(body: str, code: str, message: str) -> None:
    observer, storage, error = answered(body)
    assert [(found.code, request_id) for found, _, request_id in observer.errors] == [(code, "message-1")]
    assert message in error
    assert "\n" not in error
    assert storage.stored == {}
