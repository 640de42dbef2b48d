"""Every kind of event with a fake engine and storage; tests/test_lambda.py uses the real runtime."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

import numpy as np
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from detection.processor import Processor
from local.checkout import ROOT
from serving.aws import http_events, observe
from serving.aws.batch_events import BatchEvents
from serving.aws.function import Function
from serving.aws.http_events import HttpEvents
from serving.aws.object_events import ObjectEvents
from serving.aws.observe import CloudWatchObserver
from serving.aws.queue_events import QueueEvents
from serving.errors import EventFailed
from serving.instance import Instance
from serving.respond import Responder
from serving.storage import Fetched
from tests.conftest import decoded, to_jpeg
from tests.fakes import FakeStorage, predictor

EVENTS = ROOT / "tests" / "events"
PICTURE = to_jpeg(np.zeros((64, 64, 3), np.uint8))
BUCKET = "yolov7-pictures"


class Context(LambdaContext):
    """The part of Lambda's context that a handler reads."""

    _aws_request_id = "invocation-1"
    left_ms = 30_000

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return Context.left_ms


def recorded(name: str) -> Any:
    """An event of tests/events with the name of the fake bucket."""
    return json.loads((EVENTS / f"{name}.json").read_text().replace(BUCKET, "pictures"))


def answering(storage: FakeStorage, **changes: object) -> Iterator[Any]:
    """A handler with these settings changed."""
    ours = predictor()
    ours.settings = ours.settings.model_copy(update=changes)
    ours.storage = storage
    instance = Instance(id="here", processor=Processor("Xeon", "AVX2"))
    observer = CloudWatchObserver(instance)
    function = Function(ours, Responder(instance, observer), observer)
    objects = ObjectEvents(function)
    kinds = (HttpEvents(function), BatchEvents(function, objects), QueueEvents(function, objects), objects)
    yield lambda event: function.answer(event, Context(), kinds)
    observe.metrics.clear_metrics()


@pytest.mark.parametrize("name", ["http-api", "http-api-named-stage", "function-url-base64", "rest-api", "alb"])
def test_an_http_event_gets_a_response_in_the_format_of_its_sender(
    name: str, answer: Any, storage: FakeStorage
) -> None:
    found = answer(recorded(name))
    assert found["statusCode"] == 200, found
    assert set(storage.stored) == {json.loads(found["body"])["filename"]}


def test_an_error_of_an_http_event_has_the_shape_of_the_contract(answer: Any) -> None:
    found = answer(recorded("http-api") | {"body": "%%%", "isBase64Encoded": True})
    error = json.loads(found["body"])["error"]
    assert (found["statusCode"], error["code"], error["request_id"]) == (400, "invalid_request", "recorded-1")


@pytest.mark.parametrize("name", ["http-api", "rest-api", "alb"])
@pytest.mark.parametrize(
    ("method", "path", "code", "allow"),
    [("POST", "/predict/", "not_found", None), ("GET", "/predict", "method_not_allowed", "POST")],
)
def test_other_paths_and_methods_get_errors_of_the_contract(
    name: str, method: str, path: str, code: str, allow: str | None, answer: Any
) -> None:
    event = recorded(name)
    if name == "http-api":
        event["requestContext"]["http"] |= {"method": method, "path": path}
        event["rawPath"] = path
    else:
        event |= {"httpMethod": method, "path": path}
    found = answer(event)
    assert json.loads(found["body"])["error"]["code"] == code
    headers = found.get("headers") or {n: v[0] for n, v in found["multiValueHeaders"].items()}
    assert headers.get("Allow") == allow


def at(name: str, method: str, path: str, headers: dict[str, str] | None = None) -> Any:
    """A recorded event for another method and path, without a body."""
    event = recorded(name) | {"body": None, "isBase64Encoded": False}
    if name.startswith(("http-api", "function-url")):
        stage = event["requestContext"]["stage"]
        raw = path if stage == "$default" else f"/{stage}{path}"
        event["requestContext"]["http"] |= {"method": method, "path": raw}
        event |= {"rawPath": raw, "rawQueryString": ""}
        event["headers"] |= headers or {}
    else:
        several = {header: [value] for header, value in (headers or {}).items()}
        event |= {"httpMethod": method, "path": path, "headers": headers, "multiValueHeaders": several}
    return event


HTTP = ["http-api", "http-api-named-stage", "function-url-base64", "rest-api", "alb", "alb-multi-value"]


def headers_of(found: Any) -> dict[str, str]:
    """The headers of a response in the form of any sender."""
    return found.get("headers") or {name: value[0] for name, value in found["multiValueHeaders"].items()}


@pytest.mark.parametrize("name", HTTP)
def test_the_page_is_at_the_root_of_every_http_event_and_needs_no_key(name: str, storage: FakeStorage) -> None:
    for answer in answering(storage, api_keys=f"ci:{'0' * 64}"):
        page = answer(at(name, "GET", "/"))
        assert (page["statusCode"], page["isBase64Encoded"]) == (200, False)
        assert page["body"].startswith("<!doctype html>")
        headers = headers_of(page)
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        head = answer(at(name, "HEAD", "/"))
        assert (head["statusCode"], head["body"], headers_of(head)) == (200, "", headers)
        known = answer(at(name, "GET", "/", {"if-none-match": headers["ETag"]}))
        assert (known["statusCode"], known["body"]) == (304, "")
        refused = answer(at(name, "POST", "/"))
        assert (refused["statusCode"], headers_of(refused)["Allow"]) == (405, "GET, HEAD")


def test_without_the_page_the_root_is_not_found(storage: FakeStorage) -> None:
    for answer in answering(storage, page="off"):
        found = answer(at("http-api", "GET", "/"))
        assert (found["statusCode"], json.loads(found["body"])["error"]["code"]) == (404, "not_found")


def test_the_page_leaves_the_instance_cold(storage: FakeStorage) -> None:
    for answer in answering(storage):
        answer(at("http-api", "GET", "/"))
        assert headers_of(answer(recorded("http-api")))["X-Cold-Start"] == "true"


def test_with_api_keys_only_their_owners_are_answered(storage: FakeStorage) -> None:
    hashed = hashlib.sha256(b"s3cret").hexdigest()
    for answer in answering(storage, api_keys=f"ci:{hashed}"):
        statuses = []
        for key in ({}, {"x-api-key": "wrong"}, {"X-Api-Key": "s3cret"}):
            event = recorded("http-api")
            event["headers"] |= key
            statuses.append(answer(event)["statusCode"])
        assert statuses == [401, 403, 200]
        # IAM has already judged a direct invocation.
        assert "filename" in answer({"filename": "scene-1.jpg"})


def test_an_http_event_of_an_unknown_kind_is_refused_by_name(answer: Any) -> None:
    with pytest.raises(EventFailed, match=r"known are HTTP API 2\.0, REST API 1.0, function URL and ALB"):
        answer(recorded("websocket"))


def test_any_other_event_is_a_direct_request(answer: Any) -> None:
    assert answer({"filename": "scene-1.jpg"})["filename"].startswith("annotated/scene-1_")


@pytest.mark.parametrize("event", [[], None, {"filename": 7}])
def test_an_invalid_direct_request_is_an_error_of_the_contract(event: object, answer: Any) -> None:
    assert answer(event)["error"]["code"] == "invalid_request"


@pytest.mark.parametrize("name", ["s3", "s3-encoded-key", "eventbridge-s3"])
def test_an_event_about_a_new_object_gives_one_result(name: str, answer: Any, storage: FakeStorage) -> None:
    assert answer(recorded(name)) == answer(recorded(name)) == {"results": list(storage.stored), "skipped": []}


@pytest.mark.parametrize("name", ["s3-folder", "s3-removed", "s3-test"])
def test_events_about_folders_removals_and_tests_are_ignored(name: str, answer: Any, storage: FakeStorage) -> None:
    assert answer(recorded(name))["results"] == []
    assert storage.stored == {}


def test_a_malformed_record_does_not_affect_the_others(answer: Any, storage: FakeStorage) -> None:
    first, gone, malformed, last = (copy.deepcopy(recorded("s3")["Records"][0]) for _ in range(4))
    gone["s3"]["object"]["key"] = "gone.jpg"
    del malformed["s3"]["bucket"]
    last["s3"]["object"]["key"] = "scene-2.jpg"
    with pytest.raises(EventFailed) as caught:
        answer({"Records": [first, gone, malformed, last]})
    assert [key.split("_")[0] for key in storage.stored] == ["annotated/scene-1", "annotated/scene-2"]
    assert str(caught.value).startswith("gone.jpg: gone.jpg is not in bucket pictures")
    assert str(caught.value).endswith("the S3 event is incomplete (KeyError 'bucket')")


WRONG_TYPES = [
    {"key": 7}, {"key": None}, {"key": ["a"]}, {"size": "large"}, {"key": {"a": 1}},
]  # fmt: skip


@pytest.mark.parametrize("changes", WRONG_TYPES)
@pytest.mark.parametrize("name", ["s3", "eventbridge-s3"])
def test_wrong_types_in_an_s3_event_are_reported_in_one_line(name: str, changes: dict[str, Any], answer: Any) -> None:
    event = recorded(name)
    (event["Records"][0]["s3"] if name == "s3" else event["detail"])["object"] |= changes
    with pytest.raises(EventFailed, match="the S3 event is incomplete") as caught:
        answer(event)
    assert "\n" not in str(caught.value)


def test_the_error_of_another_service_names_its_source(answer: Any) -> None:
    with pytest.raises(EventFailed, match="an event of aws:sns is not understood; known are S3"):
        answer(recorded("sns"))


def test_only_the_bad_messages_of_a_batch_are_reported(answer: Any, storage: FakeStorage) -> None:
    event = recorded("sqs-ten-with-three-bad")
    reported = [item["itemIdentifier"] for item in answer(event)["batchItemFailures"]]
    # A missing picture, invalid JSON, a confidence of 7, and a label that this model does not have.
    assert reported == [event["Records"][number]["messageId"] for number in (2, 4, 6, 9)]
    assert len(storage.stored) == 4


def emitted(text: str) -> list[dict[str, Any]]:
    """The records in CloudWatch's embedded metric format in some output."""
    return [line for line in map(json.loads, text.splitlines()) if "_aws" in line]


def test_errors_are_counted_by_code(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer({"filename": "gone.jpg"})
    [by_code] = emitted(capsys.readouterr().out)
    assert (by_code["code"], by_code["errors"]) == ("image_not_found", [1.0])
    assert by_code["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "YOLOv7"
    assert set(by_code["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == {"service", "code"}
    assert dict(observe.metrics.serialize_metric_set())["errors"] == [1.0]


@pytest.mark.parametrize("name", ["http-api", "direct"])
def test_a_request_is_answered_before_lambda_ends_the_invocation(
    name: str, answer: Any, storage: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(Context, "left_ms", 700)  # Half a second of it is reserved for the response.
    monkeypatch.setattr(storage, "fetch", lambda *_: go_on.wait() and Fetched(PICTURE, "1"))
    late = answer(recorded(name))
    go_on.set()
    error = (json.loads(late["body"]) if name == "http-api" else late)["error"]
    assert error["code"] == "deadline_exceeded"
    time.sleep(0.1)  # The thread continues to its next step.
    assert storage.stored == {}


def test_an_event_without_time_left_is_delivered_again(
    answer: Any, storage: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "left_ms", 400)
    with pytest.raises(EventFailed, match=r"scene-1.jpg: the request was stopped after 0 s"):
        answer(recorded("s3"))
    assert storage.stored == {}


@pytest.mark.parametrize("name", ["http-api", "rest-api", "alb", "function-url-base64"])
@pytest.mark.parametrize(
    "changes",
    [{"headers": 7}, {"requestContext": {"http": {}}}, {"path": {}, "rawPath": 3}, {"httpMethod": [], "version": 2.0}],
)
def test_wrong_types_in_an_http_event_are_reported_in_one_line(name: str, changes: dict[str, Any], answer: Any) -> None:
    try:
        answered = answer(recorded(name) | changes)
    except EventFailed as exc:
        assert str(exc).startswith("this HTTP event")
    else:
        assert answered["statusCode"] in (200, 404)  # This kind of event does not have the field.


def test_a_message_without_an_id_is_refused_before_anything_is_stored(answer: Any, storage: FakeStorage) -> None:
    event = recorded("sqs-ten-with-three-bad")
    del event["Records"][-1]["messageId"]
    with pytest.raises(EventFailed, match="has no messageId"):
        answer(event)
    assert storage.stored == {}


def test_control_characters_of_a_key_are_escaped_in_the_error(answer: Any) -> None:
    event = recorded("s3")
    event["Records"][0]["s3"]["object"]["key"] = "a%0Aerror%1B[31m.jpg"
    with pytest.raises(EventFailed) as failed:
        answer(event)
    assert r"a\nerror\x1b[31m.jpg" in str(failed.value)


def uploaded(name: str, data: bytes, query: str = "", **headers: str) -> Any:
    """A recorded event with a picture as its body, and an encoded query as its sender has it."""
    event = recorded(name) | {"body": base64.b64encode(data).decode(), "isBase64Encoded": True}
    named = {"content-type": "image/jpeg", **headers}
    if "multiValueHeaders" in event:
        event["multiValueHeaders"] = {name: value.split("|") for name, value in named.items()}
    else:
        event["headers"] = {name: value.replace("|", ",") for name, value in named.items()}
    pairs = [pair.split("=") for pair in query.split("&") if pair]
    if name in ("http-api", "function-url-base64"):
        event["rawQueryString"] = query
    elif name == "alb":
        event["queryStringParameters"] = dict(pairs)
    else:
        decode = unquote_plus if name == "rest-api" else str
        event["multiValueQueryStringParameters"] = {name: [] for name, _ in pairs}
        for key, value in pairs:
            event["multiValueQueryStringParameters"][key].append(decode(value))
    return event


HTTP_EVENTS = ("http-api", "function-url-base64", "rest-api", "alb", "alb-multi-value")


@pytest.mark.parametrize("name", HTTP_EVENTS)
def test_an_uploaded_picture_is_answered_with_the_annotated_one(name: str, answer: Any, storage: FakeStorage) -> None:
    found = answer(uploaded(name, PICTURE, "confidence=0%2E8&classes=bus", accept="image/png|image/jpeg"))
    headers = found.get("headers") or {n: v[0] for n, v in found["multiValueHeaders"].items()}
    assert (found["statusCode"], headers["Content-Type"], found["isBase64Encoded"]) == (200, "image/jpeg", True), found
    assert decoded(base64.b64decode(found["body"]), name="x", max_pixels=10_000).shape == (64, 64, 3)
    assert [one["label"] for one in json.loads(headers["X-Detections"])] == ["bus"]
    assert storage.stored == {}


def test_an_option_of_a_rest_api_keeps_its_plus_and_percent(answer: Any) -> None:
    error = json.loads(answer(uploaded("rest-api", PICTURE, "classes=a%2Bb%2525"))["body"])["error"]
    assert "'a+b%25' is not a label" in error["message"]


@pytest.mark.parametrize("name", ["rest-api", "alb", "http-api"])
@pytest.mark.parametrize("store", ["false", "true"])
@pytest.mark.slow
def test_an_annotated_picture_that_does_not_fit_the_response_is_refused_and_not_stored(
    name: str, store: str, answer: Any, storage: FakeStorage
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2500, 3600, 3)).astype(np.uint8)
    found = answer(uploaded(name, to_jpeg(noise, 50), f"store={store}", accept="image/jpeg"))
    error = json.loads(found["body"])["error"]
    assert (found["statusCode"], error["code"]) == (413, "image_too_large"), error
    assert "ask for JSON with store=true" in error["message"]
    assert storage.stored == {}


def test_a_response_with_the_largest_picture_is_within_the_limits_of_aws() -> None:
    for largest, limit in ((http_events.LAMBDA_RETURNS, 6 * 2**20), (http_events.ALB_RETURNS, 2**20)):
        assert limit - 2**17 < len(base64.b64encode(bytes(largest))) < limit - 20_000


def test_an_upload_over_the_limit_of_bytes_is_refused(storage: FakeStorage) -> None:
    for answer in answering(storage, max_image_bytes=100_000):
        found = answer(uploaded("http-api", PICTURE + bytes(100_000)))
        error = json.loads(found["body"])["error"]
        assert (found["statusCode"], error["code"]) == (413, "image_too_large")
        assert "0.1 MB (MAX_IMAGE_BYTES)" in error["message"]


def test_an_upload_that_is_not_base64_is_refused(answer: Any) -> None:
    event = uploaded("http-api", PICTURE) | {"body": "/9j/*"}
    error = json.loads(answer(event)["body"])["error"]
    assert (error["code"], "base64" in error["message"]) == ("invalid_request", True)


@pytest.mark.parametrize("query", [7, [], {"iou": 7}, {7: "x"}, "iou=1"])
@pytest.mark.parametrize("name", ["rest-api", "alb"])
def test_a_query_of_a_wrong_type_is_reported_in_one_line(name: str, query: object, answer: Any) -> None:
    event = uploaded(name, PICTURE) | {"queryStringParameters": query, "multiValueQueryStringParameters": query}
    try:
        assert answer(event)["statusCode"] in (200, 400)
    except EventFailed as exc:
        assert str(exc).startswith("this HTTP event")
