"""The Lambda door: AWS events in, the answers of /predict out.

Understood are HTTP requests (HTTP API, REST API, function URL, ALB), S3 `ObjectCreated` events, the same by
EventBridge, SQS messages that carry one of these or a request, and direct invocation with a request.
"""

# Compiling the network takes as long as importing the rest, and neither needs the other's time on the interpreter:
# what compiling needs is imported first, and the rest while it goes on. Hence the imports further down.
# ruff: noqa: E402
from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path

from detection.engine import OpenVINOEngine, compile_in_background

_compiling: Future[OpenVINOEngine] | None = None
if os.environ.get("MODEL_FOLDER"):
    _compiling = compile_in_background(Path(os.environ["MODEL_FOLDER"]))

import base64
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import ALBResolver, APIGatewayHttpResolver, APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from snapshot_restore_py import register_after_restore

from detection.errors import InternalError, InvalidRequest, OwnResult, RequestError, SetupError
from serving.contract import (
    STEPS,
    HttpAnswer,
    Instance,
    PredictAnswer,
    PredictRequest,
    failure,
    parse_request,
    request_from,
    request_id_from,
    success,
)
from serving.predictor import Predictor, load_predictor
from serving.settings import load_settings

Event = Mapping[str, Any]

SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "yolov7")

logger = Logger(service=SERVICE)
metrics = Metrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "YOLOv7"), service=SERVICE)
# Even a disabled tracer imports X-Ray's SDK, 0.2 s of a cold start: there is one only where it is asked for.
tracer = Tracer(service=SERVICE, patch_modules=["botocore"]) if os.environ.get("TRACING") == "xray" else None
copy_config_to_registered_loggers(logger, include={"bentoml"})

instance = Instance()


class EventFailed(Exception):
    """An event that could not be answered in full: raised, so that AWS repeats it and at last sets it aside."""


def _load() -> Predictor:
    settings = load_settings()
    # On demand, a request is waiting already, and a whole inference now would make it wait longer than it saves.
    warm_up = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") != "on-demand"
    if _compiling is not None:
        return load_predictor(settings, Path(settings.model_folder), _compiling.result, warm_up=warm_up)
    from model_store import store  # On a laptop; importing BentoML takes a second.

    folder = store.served(settings)
    return load_predictor(settings, folder, compile_in_background(folder).result, warm_up=warm_up)


try:
    predictor = _load()
except SetupError as exc:
    sys.stderr.write(f"error: {exc}\n")
    raise SystemExit(1) from None


@register_after_restore  # type: ignore[untyped-decorator]
def after_restore() -> None:
    """Renew what copies of one SnapStart snapshot must not share: the instance's id, random state, S3 connections."""
    instance.renew()
    random.seed()
    predictor.storage.reconnect()


def _traced(function: Callable[..., Any]) -> Callable[..., Any]:
    return tracer.capture_lambda_handler(function, capture_response=False) if tracer else function


@logger.inject_lambda_context
@_traced
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: Any, context: LambdaContext) -> Any:
    """Answer one event in the form that its sender expects; raises EventFailed where a sender expects nothing."""
    metrics.add_metric("events", MetricUnit.Count, 1)
    context_of = event.get("requestContext") if isinstance(event, Mapping) else None
    if isinstance(context_of, Mapping):
        return _http_resolver(event, context_of)(event, context)
    if isinstance(event, Mapping) and _sources(event) == {"aws:sqs"}:
        return _answer_batch(event, context)
    if isinstance(event, Mapping) and _tells_of_objects(event):
        return _answer_event(event, context.aws_request_id)
    answer = _respond(lambda: request_from(event), context.aws_request_id)
    return json.loads(answer.body)


def _respond(request: Callable[[], PredictRequest], request_id: str) -> HttpAnswer:
    """Answer a request as the contract says, whatever happens; reading the request may fail as well."""
    try:
        answer = _predict(request(), request_id)
    except Exception as exc:  # noqa: BLE001  # Every error becomes the contract's answer.
        _count_error(exc, request_id)
        return failure(exc, instance, request_id)
    return success(answer, instance, request_id)


def _predict(request: PredictRequest, request_id: str, *, refuse_results: bool = False) -> PredictAnswer:
    answer = predictor.predict(request, refuse_results=refuse_results)
    timings = answer.timings_ms.model_dump()
    for step in STEPS:
        metrics.add_metric(step, MetricUnit.Milliseconds, timings[step])
    metrics.add_metric("detections", MetricUnit.Count, len(answer.detections))
    if tracer:
        tracer.put_metadata("timings_ms", timings)
    said = {"request_id": request_id, "picture": request.filename, "result": answer.filename, "timings_ms": timings}
    logger.info("answered", extra=said)
    return answer


def _count_error(error: Exception, request_id: str) -> None:
    metrics.add_metric("errors", MetricUnit.Count, 1)
    if isinstance(error, RequestError):
        logger.warning(str(error), extra={"request_id": request_id, "code": error.code})
    else:
        logger.error("a defect", exc_info=error, extra={"request_id": request_id, "code": InternalError.code})


# HTTP


def _route(resolver: ApiGatewayResolver) -> ApiGatewayResolver:
    @resolver.post("/predict")
    def predict() -> Response[str]:
        event = resolver.current_event
        request_id = request_id_from(_header(event, "x-request-id") or resolver.lambda_context.aws_request_id)
        answer = _respond(lambda: parse_request(_body(event.raw_event), _header(event, "content-type")), request_id)
        return Response(answer.status, body=answer.body.decode(), headers=dict(answer.headers))

    return resolver


_HTTP_API, _REST_API, _ALB = (_route(kind()) for kind in (APIGatewayHttpResolver, APIGatewayRestResolver, ALBResolver))


def _http_resolver(event: Event, context_of: Event) -> ApiGatewayResolver:
    if "elb" in context_of:
        return _ALB
    if event.get("version") == "2.0" and "http" in context_of:  # HTTP APIs and function URLs.
        return _HTTP_API
    if "httpMethod" in event and "path" in event:
        return _REST_API
    raise EventFailed("this HTTP event is of no known kind; known are HTTP API 2.0, REST API 1.0, function URL and ALB")


def _header(event: Any, name: str) -> str | None:
    value = event.resolved_headers_field.get(name)
    return value[0] if isinstance(value, list) and value else value or None


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise InvalidRequest("the request's body is not the base64 that its event says it is") from None


# S3, EventBridge, SQS


def _tells_of_objects(event: Event) -> bool:
    """Whether it is an event and no request; of which service is seen later."""
    return not {"Records", "detail-type", "Event"}.isdisjoint(event)


def _sources(event: Event) -> set[object]:
    records = event.get("Records")
    if not isinstance(records, list):
        return set()
    return {_source(record) for record in records}


def _source(record: object) -> object:
    """The service that wrote a record; SNS spells it its own way."""
    return record.get("eventSource") or record.get("EventSource") if isinstance(record, Mapping) else None


def _created(event: Event) -> Iterator[tuple[str, str, int]]:
    """Bucket, key and size of every new object that an event tells of; raises EventFailed for other events."""
    try:
        if event.get("Event") == "s3:TestEvent":  # S3 sends one when the notification is set up.
            return
        if event.get("source") == "aws.s3":
            if event["detail-type"] == "Object Created":
                thing = event["detail"]["object"]
                # Unlike in S3's own events, the key is not URL-encoded.
                yield event["detail"]["bucket"]["name"], thing["key"], thing.get("size", 1)
        elif _sources(event) == {"aws:s3"}:
            for record in event["Records"]:
                if record["eventName"].startswith("ObjectCreated:"):
                    thing = record["s3"]["object"]
                    yield record["s3"]["bucket"]["name"], unquote_plus(thing["key"]), thing.get("size", 1)
        else:
            found = event.get("source") or ", ".join(sorted(map(str, _sources(event)))) or ", ".join(event)
            raise EventFailed(f"an event of {found[:100]} is not understood; known are S3, S3 by EventBridge, and SQS")
    except (KeyError, TypeError, AttributeError) as exc:
        raise EventFailed(f"the S3 event is incomplete ({type(exc).__name__} {exc})") from None


def _answer_event(event: Event, request_id: str) -> dict[str, list[str]]:
    """Answer for every new picture of an event; what failed is raised when the others are done."""
    done: dict[str, list[str]] = {"results": [], "skipped": []}
    failed = []
    for bucket, key, size in _created(event):
        try:
            if not _is_a_picture_to_look_at(bucket, key, size):
                raise OwnResult(f"{key} in bucket {bucket} is an annotated picture or a folder")
            request = request_from({"filename": key})
            done["results"].append(_predict(request, request_id, refuse_results=True).filename)
        except OwnResult as exc:
            done["skipped"].append(key)
            metrics.add_metric("skipped", MetricUnit.Count, 1)
            logger.info("skipped: %s", exc, extra={"request_id": request_id})
        except Exception as exc:  # noqa: BLE001  # The event's other pictures are answered all the same.
            _count_error(exc, request_id)
            failed.append(f"{key}: {exc if isinstance(exc, RequestError) else InternalError.code}")
    if failed:
        raise EventFailed("; ".join(failed))
    return done


def _is_a_picture_to_look_at(bucket: str, key: str, size: int) -> bool:
    """False for results and for folders; an annotated picture elsewhere is known by its metadata when it is read."""
    settings = predictor.settings
    if bucket == settings.output_bucket and settings.result_prefix and key.startswith(settings.result_prefix):
        return False
    if bucket != settings.input_bucket:
        raise InvalidRequest(f"the event is about bucket {bucket[:100]}; INPUT_BUCKET is {settings.input_bucket}")
    return not (size == 0 and key.endswith("/"))


def _answer_batch(event: Event, context: LambdaContext) -> dict[str, Any]:
    """Answer SQS messages; the failed ones alone are reported, and so come again."""
    from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    def answer_message(record: SQSRecord) -> None:
        try:
            message = json.loads(record.body)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict) and not _tells_of_objects(message):
            answer = _respond(lambda: request_from(message), record.message_id)
            if answer.status != 200:
                raise EventFailed(json.loads(answer.body)["error"]["message"])
        elif isinstance(message, dict):
            _answer_event(message, record.message_id)
        else:
            error = InvalidRequest(f"message {record.message_id} is no JSON object")
            _count_error(error, record.message_id)
            raise error

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(dict(event), answer_message, processor, context))
