"""Responses: success, translated errors, headers, and the calls of the observer."""

from __future__ import annotations

import json

import pytest

from detection.errors import NotAPicture
from serving.contract import STEPS, Answer, Call, PredictAnswer, PredictRequest
from serving.errors import InternalError, InvalidRequest, NotAnImage, Overloaded, RequestError
from serving.instance import Instance
from serving.respond import Responder, failure
from tests.fakes import RecordingObserver

REQUEST = PredictRequest(filename="bus.jpg")
ANSWER = PredictAnswer.model_validate(PredictAnswer.model_config["json_schema_extra"]["example"])  # type: ignore[index]


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


@pytest.fixture
def responder(observer: RecordingObserver) -> Responder:
    return Responder(Instance(), observer)


def test_a_response_is_sent_and_observed(responder: Responder, observer: RecordingObserver) -> None:
    response = responder.respond(lambda: Call(REQUEST), lambda _: Answer(ANSWER), "id-1")
    assert (response.status, json.loads(response.body)) == (200, ANSWER.model_dump())
    assert response.headers["X-Request-Id"] == "id-1"
    names = [part.split(";dur=")[0] for part in response.headers["Server-Timing"].split(", ")]
    assert names == ["fetch", "decode", "detect", "annotate", "store", "total"]
    assert (observer.answers, observer.errors) == ([(REQUEST, ANSWER, "id-1")], [])


@pytest.mark.parametrize("ms", [0.01, 12.5, 12_937.64, 3_599_999.99])
def test_the_step_times_of_the_header_are_those_of_the_body(ms: float, responder: Responder) -> None:
    timings = dict.fromkeys((*STEPS, "total"), ms)
    found = PredictAnswer.model_validate(ANSWER.model_dump() | {"timings_ms": timings})
    response = responder.respond(lambda: Call(REQUEST), lambda _: Answer(found), "id-1")
    parts = (part.split(";dur=") for part in response.headers["Server-Timing"].split(", "))
    assert {step: float(dur) for step, dur in parts} == json.loads(response.body)["timings_ms"] == timings


def test_an_invalid_request_does_not_reach_the_predictor(responder: Responder, observer: RecordingObserver) -> None:
    def read() -> Call:
        raise InvalidRequest("filename: is required")

    def predict(_: Call) -> Answer:
        raise AssertionError("predicted")

    response = responder.respond(read, predict, "id-1")
    error = {"code": "invalid_request", "message": "filename: is required", "request_id": "id-1"}
    assert (response.status, json.loads(response.body)) == (400, {"error": error})
    [(seen, cause, request_id)] = observer.errors
    assert (seen, request_id) == (cause, "id-1")


@pytest.mark.parametrize(
    ("cause", "kind", "message"),
    [
        (NotAPicture("x.jpg is empty"), NotAnImage, "x.jpg is empty"),
        (KeyError("secret-credential"), InternalError, "an unexpected error; the log has it under this request_id"),
    ],
)
def test_other_errors_are_translated_and_their_cause_is_observed(
    cause: Exception, kind: type[RequestError], message: str, responder: Responder, observer: RecordingObserver
) -> None:
    def predict(_: Call) -> Answer:
        raise cause

    response = responder.respond(lambda: Call(REQUEST), predict, "id-1")
    assert (response.status, json.loads(response.body)["error"]["message"]) == (kind.status, message)
    [(error, seen, _)] = observer.errors
    assert (type(error), seen) == (kind, cause)


def test_overloaded_has_a_retry_after_header() -> None:
    assert failure(Overloaded("full"), Instance(), "id").headers["Retry-After"] == "1"


def test_a_refused_request_also_marks_the_process_as_warm(responder: Responder) -> None:
    responses = [responder.refuse(Overloaded("full"), "id") for _ in range(2)]
    assert [response.headers["X-Cold-Start"] for response in responses] == ["true", "false"]
