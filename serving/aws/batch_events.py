"""Invocations by S3 Batch Operations, in their schemas 1.0 and 2.0: one task each, one result per task.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.typing import LambdaContext

from serving.aws.function import Function
from serving.aws.object_events import ObjectEvents
from serving.bodies import options_from
from serving.contract import PredictAnswer
from serving.errors import EventFailed, InvalidRequest, OwnResult, to_request_error
from serving.events import Event, NewObject

MAX_RESULT = 1024  # Characters of a result; S3 drops the others from its report.
MAX_TASKS = 100  # S3 sends one.
MAX_ARGUMENTS, MAX_ARGUMENT = 10, 1024  # Their number, and the characters of one: the limits of CreateJob.

_BUCKET_ARN = re.compile(r"arn:[a-z0-9-]+:s3:::(.+)")


class Result(NamedTuple):
    """How a task ended, and the JSON that S3's report shows."""

    code: str
    text: str


class BatchEvents:
    """Answers the tasks of a job of S3 Batch Operations."""

    name = "S3 Batch Operations"

    def __init__(self, function: Function, objects: ObjectEvents) -> None:
        self._function = function
        self._objects = objects

    def matches(self, event: Event) -> bool:
        """Whether it has the fields of an invocation by S3 Batch Operations."""
        return "invocationSchemaVersion" in event or {"invocationId", "tasks"} <= event.keys()

    def answer(self, event: Event, context: LambdaContext) -> dict[str, Any]:
        """One result per task, as S3 wants them; raises EventFailed for an event to which S3 could match no result."""
        _check_answerable(event)
        results = []
        for task in event["tasks"]:
            code, text = self._answer_task(event, task, context)
            results.append({"taskId": task["taskId"], "resultCode": code, "resultString": text})
        return {
            "invocationSchemaVersion": event["invocationSchemaVersion"],
            "treatMissingKeysAs": "PermanentFailure",
            "invocationId": event["invocationId"],
            "results": results,
        }

    def _answer_task(self, event: Event, task: Event, context: LambdaContext) -> Result:
        """Process one task. S3 tries a temporary failure again."""
        observer, request_id = self._function.observer, context.aws_request_id
        try:
            _check_invocation(event)
            found = self._objects.annotate(self._object(event, task), _options(event), context, request_id)
        except OwnResult as exc:
            observer.skipped(exc, request_id)
            return Result("Succeeded", _cut_json(str(exc), lambda reason: {"skipped": reason}))
        except Exception as exc:  # noqa: BLE001  # Every error becomes a result.
            error = to_request_error(exc)
            observer.failed(error, exc, request_id)
            text = _cut_json(
                str(error), lambda said: {"error": {"code": error.code, "message": said, "request_id": request_id}}
            )
            return Result("PermanentFailure" if error.status < 500 else "TemporaryFailure", text)
        return Result("Succeeded", _success(found))

    def _object(self, event: Event, task: Event) -> NewObject:
        """The object of a task; raises InvalidRequest."""
        bucket, ours = _bucket(event, task), self._function.predictor.settings.input_bucket
        if bucket != ours:
            raise InvalidRequest(f"the task is about bucket {bucket[:100]}; INPUT_BUCKET is {ours}")
        version = task.get("s3VersionId")
        if not isinstance(version, str | None):
            raise InvalidRequest("s3VersionId: must be a string or null")
        try:
            key = unquote_plus(_text(task, "s3Key"), errors="strict")
        except UnicodeDecodeError:
            raise InvalidRequest("s3Key: must be URL-encoded UTF-8: correct the manifest") from None
        # A task does not have the object's size: an object whose key ends with a slash is taken for a folder.
        return NewObject(bucket, key, 0, version or None)


def _check_answerable(event: Event) -> None:
    """Raise EventFailed unless the event has what its answer repeats."""
    for name in ("invocationSchemaVersion", "invocationId"):
        if not isinstance(event.get(name), str):
            raise EventFailed(f"this invocation by {BatchEvents.name} has no {name}")
    tasks = event.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        raise EventFailed(f"this invocation by {BatchEvents.name} has no tasks")
    if len(tasks) > MAX_TASKS:
        raise EventFailed(f"this invocation by {BatchEvents.name} has {len(tasks)} tasks; S3 sends one")
    if not all(isinstance(task, Mapping) and isinstance(task.get("taskId"), str) for task in tasks):
        raise EventFailed(f"a task of this invocation by {BatchEvents.name} has no taskId")


def _check_invocation(event: Event) -> None:
    """Raise InvalidRequest for a fault that all tasks share."""
    version, count = event["invocationSchemaVersion"], len(event["tasks"])
    if version not in ("1.0", "2.0"):
        raise InvalidRequest(f"invocationSchemaVersion: {version[:20]} is not known; create the job with 1.0 or 2.0")
    if count != 1:
        raise InvalidRequest(f"the invocation has {count} tasks; S3 sends one, and the function answers one")


def _bucket(event: Event, task: Event) -> str:
    if event["invocationSchemaVersion"] == "2.0":
        return _text(task, "s3Bucket")
    arn = _text(task, "s3BucketArn")
    if not (found := _BUCKET_ARN.fullmatch(arn)):
        raise InvalidRequest(f"s3BucketArn: {arn[:100]} is not the ARN of a bucket")
    return found[1]


def _text(task: Event, name: str) -> str:
    value = task.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{name}: must be a string that is not empty")
    return value


def _options(event: Event) -> dict[str, Any]:
    """The options of a request in the job's arguments; `classes` are separated by commas. Raises InvalidRequest."""
    job = event.get("job", {})
    arguments = (job.get("userArguments") or {}) if isinstance(job, Mapping) else None
    if not isinstance(arguments, Mapping) or len(arguments) > MAX_ARGUMENTS:
        raise InvalidRequest(
            f"job: must be an object, and its userArguments an object of at most {MAX_ARGUMENTS} fields"
        )
    pairs: list[tuple[str, str]] = []
    for name, value in arguments.items():
        if not isinstance(value, str) or len(value) > MAX_ARGUMENT:
            raise InvalidRequest(f"{name[:100]}: must be a string of at most {MAX_ARGUMENT} characters")
        pairs += [(name, part.strip()) for part in (value.split(",") if name == "classes" else [value])]
    return options_from(pairs)


def _success(found: PredictAnswer) -> str:
    """The key of the annotated picture if it was stored, and the number of detections, by label where they fit."""
    key = {} if found.filename is None else {"filename": found.filename}
    facts = {**key, "detections": len(found.detections)}
    whole = _json({**facts, "labels": Counter(one.label for one in found.detections)})
    if len(whole) <= MAX_RESULT:
        return whole
    return _cut_json(found.filename or "", lambda name: {**facts, **({"filename": name} if key else {})})


def _cut_json(text: str, facts: Callable[[str], object]) -> str:
    """JSON of `facts` of a text, which loses its middle if the JSON would be longer than S3's report shows."""
    kept, cut = len(text), text
    while len(made := _json(facts(cut))) > MAX_RESULT and kept:
        kept = max(0, kept - max(1, (len(made) - MAX_RESULT) // 12))  # JSON has 1 to 12 characters for one.
        cut = f"{text[: kept // 2]}...{text[len(text) - kept // 2 :]}"
    return made


def _json(facts: object) -> str:
    """JSON in printable ASCII."""
    return json.dumps(facts, separators=(",", ":"))
