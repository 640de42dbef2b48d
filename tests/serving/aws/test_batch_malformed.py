"""Malformed invocations by S3 Batch Operations: each names the field at fault, and none stores anything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serving.aws.batch_events import MAX_TASKS
from serving.errors import EventFailed
from tests.fakes import FakeStorage
from tests.serving.aws.test_batch_events import changed, each_schema, refusal
from tests.serving.aws.test_events import recorded

TASKS: list[tuple[str, dict[str, object], str]] = [
    ("s3-batch-1.0", {"s3BucketArn": "arn:aws:s3:::other"}, "the task is about bucket other; INPUT_BUCKET is pictures"),
    ("s3-batch-2.0", {"s3Bucket": "other"}, "the task is about bucket other; INPUT_BUCKET is pictures"),
    ("s3-batch-2.0", {"s3Bucket": "results", "s3Key": "annotated/a.jpg"}, "the task is about bucket results; "),
    ("s3-batch-1.0", {"s3BucketArn": "pictures"}, "s3BucketArn: pictures is not the ARN of a bucket"),
    ("s3-batch-1.0", {"s3BucketArn": "x:::pictures"}, "s3BucketArn: x:::pictures is not the ARN of a bucket"),
    ("s3-batch-1.0", {"s3BucketArn": None}, "s3BucketArn: must be a string that is not empty"),
    ("s3-batch-2.0", {"s3Bucket": 7}, "s3Bucket: must be a string that is not empty"),
    ("s3-batch-2.0", {"s3Bucket": None, "s3BucketArn": "arn:aws:s3:::pictures"}, "s3Bucket: must be a string"),
    ("s3-batch-2.0", {"s3Key": None}, "s3Key: must be a string that is not empty"),
    ("s3-batch-2.0", {"s3Key": ""}, "s3Key: must be a string that is not empty"),
    ("s3-batch-2.0", {"s3Key": "a%FF.jpg"}, "s3Key: must be URL-encoded UTF-8"),
    ("s3-batch-2.0", {"s3Key": "\ud800"}, "filename: must be valid Unicode"),
    ("s3-batch-2.0", {"s3Key": "a%0A.jpg"}, "filename: must not contain control characters"),
    ("s3-batch-2.0", {"s3Key": "a/../b.jpg"}, "filename: must not start or end with '/'"),
    ("s3-batch-2.0", {"s3VersionId": 7}, "s3VersionId: must be a string or null"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "task", "message"), TASKS)
def test_a_malformed_task_is_a_permanent_failure_that_names_the_field(
    name: str, task: dict[str, object], message: str, answer: Any, storage: FakeStorage
) -> None:
    assert refusal(answer(changed(name, **task))).startswith(message)
    assert storage.stored == {}


@pytest.mark.parametrize("version", ["", "3.0", "2", "1.0 " * 50])
def test_an_unknown_schema_is_a_permanent_failure(version: str, answer: Any, storage: FakeStorage) -> None:
    answered = answer(recorded("s3-batch-2.0") | {"invocationSchemaVersion": version})
    assert refusal(answered) == f"invocationSchemaVersion: {version[:20]} is not known; create the job with 1.0 or 2.0"
    assert answered["invocationSchemaVersion"] == version
    assert storage.stored == {}


@each_schema
def test_two_tasks_are_two_permanent_failures(name: str, answer: Any, storage: FakeStorage) -> None:
    event = recorded(name)
    event["tasks"] += [event["tasks"][0] | {"taskId": "second"}]
    answered = answer(event)
    assert [one["taskId"] for one in answered["results"]] == [event["tasks"][0]["taskId"], "second"]
    for one in answered["results"]:
        assert one["resultCode"] == "PermanentFailure"
        assert json.loads(one["resultString"])["error"]["message"].startswith(
            "the invocation has 2 tasks; S3 sends one"
        )
    assert storage.stored == {}


UNANSWERABLE: list[tuple[dict[str, object], str]] = [
    ({"tasks": []}, "has no tasks"),
    ({"tasks": {}}, "has no tasks"),
    ({"tasks": None}, "has no tasks"),
    ({"tasks": [None]}, "a task of this invocation by S3 Batch Operations has no taskId"),
    ({"tasks": [{"s3Key": "scene-1.jpg"}]}, "a task of this invocation by S3 Batch Operations has no taskId"),
    ({"tasks": [{"taskId": "1"}] * (MAX_TASKS + 1)}, "has 101 tasks; S3 sends one"),
    ({"invocationId": None}, "has no invocationId"),
    ({"invocationSchemaVersion": 2.0}, "has no invocationSchemaVersion"),
]


@pytest.mark.parametrize(("changes", "message"), UNANSWERABLE)
def test_an_invocation_without_a_readable_task_fails_in_one_line(
    changes: dict[str, object], message: str, answer: Any
) -> None:
    with pytest.raises(EventFailed, match=message) as failed:
        answer(recorded("s3-batch-1.0") | changes)
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize("missing", ["tasks", "invocationId", "invocationSchemaVersion"])
def test_an_invocation_without_a_field_is_not_taken_for_a_request(missing: str, answer: Any) -> None:
    event = recorded("s3-batch-2.0")
    del event[missing]
    with pytest.raises(EventFailed, match=f"has no {missing}"):
        answer(event)
