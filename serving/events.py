"""Events about new objects, S3's own and S3's by EventBridge: the same for the Lambda door and the worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote_plus

from serving.bodies import request_from
from serving.contract import Answer, Call, PredictAnswer
from serving.errors import EventFailed, InternalError, InvalidRequest, OwnResult, RequestError, to_request_error
from serving.respond import Observer
from serving.settings import Settings

Event = Mapping[str, Any]

NAME = "S3, S3 by EventBridge"


class Predict(Protocol):
    """Answers one call, as Predictor.predict does."""

    def __call__(self, call: Call, *, refuse_results: bool = False) -> Answer:
        """Answer a call; raises RequestError, or OwnResult."""
        ...


class EventObserver(Observer, Protocol):
    """Logs and counts what becomes of an event, too."""

    def skipped(self, reason: Exception, request_id: str) -> None:
        """Record an event about a picture that is not to be looked at."""
        ...


class NewObject(NamedTuple):
    """An object that was created; `size` in bytes. Without a version it is the current one."""

    bucket: str
    key: str
    size: int
    version_id: str | None = None


class NewObjects:
    """Annotates every new picture that an event is about; events about the service's own results are ignored."""

    def __init__(self, settings: Settings, observer: EventObserver) -> None:
        self._settings = settings
        self._observer = observer

    def process(self, event: Event, predict: Predict, request_id: str) -> dict[str, list[str]]:
        """Process every new picture of an event: the keys of the results, and the keys that were skipped.

        Raises EventFailed, which lists every failure, after all other pictures are done. The observer has each of them.
        """
        done = {"results": list[str](), "skipped": list[str]()}
        failed: list[str] = []
        for read in self._observed_readers(event, request_id):
            try:
                created = read()
                if created is None:
                    continue
            except (KeyError, TypeError, AttributeError, ValueError) as exc:
                fault = f"the S3 event is incomplete ({type(exc).__name__} {str(exc)[:100]})"
                self._observer.failed(InvalidRequest(fault), exc, request_id)
                failed.append(fault)
                continue
            try:
                done["results"].append(str(self.annotate(created, {}, predict, request_id).filename))
            except OwnResult as exc:
                done["skipped"].append(created.key)
                self._observer.skipped(exc, request_id)
            except Exception as exc:  # noqa: BLE001  # The other pictures of the event are still processed.
                error = to_request_error(exc)
                self._observer.failed(error, exc, request_id)
                failed.append(f"{created.key}: {error.code if isinstance(error, InternalError) else error}")
        if failed:
            raise EventFailed("; ".join(failed))
        return done

    def annotate(
        self, created: NewObject, options: Mapping[str, Any], predict: Predict, request_id: str
    ) -> PredictAnswer:
        """Process one picture with the options of a request; raises OwnResult for results and folders."""
        bucket, key, size, version_id = created
        settings = self._settings
        own = bucket == settings.output_bucket and settings.result_prefix and key.startswith(settings.result_prefix)
        if not own and bucket != settings.input_bucket:
            raise InvalidRequest(f"the event is about bucket {bucket[:100]}; INPUT_BUCKET is {settings.input_bucket}")
        if own or (size == 0 and key.endswith("/")):
            raise OwnResult(f"{key} in bucket {bucket} is an annotated picture or a folder")
        request = request_from({"filename": key, **options})
        # An annotated picture without the prefix is recognised by its metadata once it is read.
        found = predict(Call(request, version_id=version_id), refuse_results=True).found
        self._observer.answered(request, found, request_id)
        return found

    def _observed_readers(self, event: Event, request_id: str) -> list[Callable[[], NewObject | None]]:
        try:
            return list(_readers(event))
        except RequestError as error:
            self._observer.failed(error, error, request_id)
            raise EventFailed(str(error)) from None


def is_event(message: Event) -> bool:
    """Whether it is an event of an AWS service rather than a request."""
    return not {"Records", "detail-type", "Event"}.isdisjoint(message)


def sources(event: Event) -> set[object]:
    """The services that wrote the records of an event; empty when it has no records."""
    records = event.get("Records")
    if not isinstance(records, list):
        return set()
    return {_source(record) for record in records}


def _source(record: object) -> str:
    """The service that wrote a record; SNS spells the field in its own way."""
    return str(record.get("eventSource") or record.get("EventSource")) if isinstance(record, Mapping) else "None"


def _readers(event: Event) -> Iterator[Callable[[], NewObject | None]]:
    """One reader per record, which gives the new object, or None for other changes; raises InvalidRequest.

    Records are read one by one, so that a malformed record does not cost the others.
    """
    if event.get("Event") == "s3:TestEvent":  # S3 sends one when the notification is set up.
        return
    if event.get("source") == "aws.s3":
        yield lambda: _from_eventbridge(event)
    elif sources(event) == {"aws:s3"}:
        for record in event["Records"]:
            yield lambda record=record: _from_s3(record)  # type: ignore[misc]
    else:
        found = event.get("source") or ", ".join(sorted(map(str, sources(event)))) or ", ".join(map(str, event))
        raise InvalidRequest(f"an event of {str(found)[:100]} is not understood; known are {NAME}, and SQS")


def _from_s3(record: Event) -> NewObject | None:
    if not record["eventName"].startswith("ObjectCreated:"):
        return None
    thing = record["s3"]["object"]
    return _new_object(record["s3"]["bucket"]["name"], unquote_plus(thing["key"]), thing.get("size", 1))


def _from_eventbridge(event: Event) -> NewObject | None:
    if event["detail-type"] != "Object Created":
        return None
    thing = event["detail"]["object"]
    # EventBridge does not URL-encode the key, S3's own events do.
    return _new_object(event["detail"]["bucket"]["name"], thing["key"], thing.get("size", 1))


def _new_object(bucket: object, key: object, size: object) -> NewObject:
    if not (isinstance(bucket, str) and isinstance(key, str) and isinstance(size, int)):
        raise TypeError("bucket and key must be strings, size a whole number")
    return NewObject(bucket, key, size)
