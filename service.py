"""The HTTP door: a BentoML service around `detection`."""

from __future__ import annotations

import contextvars
import functools
import logging
import sys
from typing import Any, cast

import bentoml
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detection.engine import OpenVINOEngine
from detection.errors import InternalError, InvalidRequest, Overloaded, RequestError, SetupError
from model_store import store
from serving.contract import (
    MAX_BODY_BYTES,
    STEPS,
    ErrorAnswer,
    HttpAnswer,
    Instance,
    PredictAnswer,
    PredictRequest,
    failure,
    parse_request,
    request_id_from,
    success,
)
from serving.predictor import load_predictor
from serving.settings import Settings, load_settings

logger = logging.getLogger("bentoml.yolov7")

# Fetching and storing wait for S3: other requests use that time. Detecting is one at a time all the same.
THREADS = 8

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id")


class Metrics:
    """What /metrics shows beyond BentoML's own; made in the worker, where BentoML has prepared Prometheus."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram

        self.step = Histogram(
            "yolov7_step_duration_seconds",
            "Time of one step of an answered request, seconds",
            ["step"],
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 5, 10, 30),
        )
        self.detections = Counter("yolov7_detections_total", "Objects found", ["label"])
        self.errors = Counter("yolov7_errors_total", "Requests answered with an error", ["code"])

    def answered(self, answer: PredictAnswer) -> None:
        """Count an answer."""
        timings = answer.timings_ms.model_dump()
        for step in STEPS:
            self.step.labels(step).observe(timings[step] / 1000)
        for detection in answer.detections:
            self.detections.labels(detection.label).inc()


@functools.cache
def settings() -> Settings:
    """The settings of this process."""
    return load_settings()


@functools.cache
def metrics() -> Metrics:
    """The metrics of this process."""
    return Metrics()


@functools.cache
def instance() -> Instance:
    """The identity of this process, made in the worker and not in the process that starts it."""
    return Instance()


def fail(error: Exception) -> HttpAnswer:
    """The one place where errors become answers."""
    answer = failure(error, instance(), request_id.get())
    code = error.code if isinstance(error, RequestError) else InternalError.code
    metrics().errors.labels(code).inc()
    if isinstance(error, RequestError):
        logger.warning("%s %s %s: %s", request_id.get(), answer.status, code, error)
    else:
        logger.error("%s %s %s", request_id.get(), answer.status, code, exc_info=error)
    return answer


@bentoml.service(name="yolov7", threads=THREADS)
class YOLOv7:
    """Finds objects in a picture from S3 with YOLOv7 and writes the annotated picture back to S3."""

    def __init__(self) -> None:
        metrics()
        folder = store.served(settings())
        self._predictor = load_predictor(settings(), folder, lambda: OpenVINOEngine(folder))

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check_setup() -> None:
        """Stop before any worker starts when a setting or the model is missing: workers would be started for ever."""
        try:
            store.served(settings())
        except SetupError as exc:
            sys.stderr.write(f"error: {exc}\n")
            raise SystemExit(1) from None

    @bentoml.api(route="/predict", output_spec=PredictAnswer)  # type: ignore[untyped-decorator]
    def predict(self, request: PredictRequest, /) -> Response:
        """Find objects in a picture of the input bucket; the annotated picture is written to the output bucket."""
        try:
            answer = self._predictor.predict(request)
        except Exception as exc:  # noqa: BLE001  # Every error becomes the contract's answer.
            return to_response(fail(exc))
        metrics().answered(answer)
        return to_response(success(answer, instance(), request_id.get()))


def to_response(answer: HttpAnswer) -> Response:
    """Starlette's form of an answer."""
    return Response(answer.body, answer.status, answer.headers)


class ContractMiddleware:
    """Sees to the contract where BentoML has its own ways: ids, request bodies, the queue, the OpenAPI document."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/docs.json":
            await JSONResponse(openapi())(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == "/predict" and scope["method"] == "POST":
            await self._predict(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        request_id.set(request_id_from(headers.get("x-request-id")))
        try:
            body = await _read_body(Request(scope, receive))
            parse_request(body, headers.get("content-type"))
            limit = settings().max_queue
            if self._in_work >= limit:
                raise Overloaded(f"{limit} requests are in work or waiting (MAX_QUEUE): try again later")
        except Exception as exc:  # noqa: BLE001
            # An exception must not pass: BentoML would hold the connection until its own timeout.
            await to_response(fail(exc))(scope, receive, send)
            return
        self._in_work += 1
        try:
            await self._app(_as_json(scope), _replay(body, receive), send)
        finally:
            self._in_work -= 1


async def _read_body(request: Request) -> bytes:
    """The body, or just enough of it to see that it is too large."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                break
    except ClientDisconnect:
        raise InvalidRequest("the client hung up before the request's body was complete") from None
    return body


def _as_json(scope: Scope) -> Scope:
    """The same request, its body declared to be the JSON that it was found to be."""
    kept = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    return {**scope, "headers": [*kept, (b"content-type", b"application/json")]}


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body once more, then what the server has to say."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


SCHEMA = "#/components/schemas/{model}"


@functools.cache
def openapi() -> dict[str, Any]:
    """BentoML's OpenAPI document with the errors that /predict really answers."""
    document: dict[str, Any] = SERVICE.openapi_spec.asdict()
    document["openapi"] = "3.1.0"  # pydantic's schemas are of that version.
    bento = SERVICE.bento
    version = str(bento.tag.version) if bento else "development"
    document["info"] = {"title": "YOLOv7", "description": SERVICE.inner.__doc__, "version": version}
    schemas: dict[str, Any] = {}
    document["components"] = {"schemas": schemas}
    for model in (PredictRequest, PredictAnswer, ErrorAnswer):
        schema = model.model_json_schema(ref_template=SCHEMA)
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    operation = document["paths"]["/predict"]["post"]
    operation["requestBody"] = {"required": True, "content": _content(PredictRequest)}
    operation["responses"] = {"200": {"description": "What was found", "content": _content(PredictAnswer)}}
    for kind in sorted(_leaves(RequestError), key=lambda k: k.status):
        description = f"{kind.code}: {(kind.__doc__ or '').strip()}"
        operation["responses"].setdefault(
            str(kind.status), {"description": description, "content": _content(ErrorAnswer)}
        )
    return document


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": SCHEMA.format(model=model.__name__)}}}


def _leaves(kind: type[RequestError]) -> list[type[RequestError]]:
    return [k for sub in kind.__subclasses__() for k in (sub, *_leaves(sub))]


# The decorator has made a bentoml.Service of the class, which mypy cannot see.
SERVICE = cast("bentoml.Service[Any]", YOLOv7)
SERVICE.add_asgi_middleware(ContractMiddleware)
