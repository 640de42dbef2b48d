"""The log and the metrics of the service.

BentoML's own metrics are switched off: they add a series for every path that is asked for, known or not, each in mapped
memory, so a hundred requests for long unknown paths fill a small disk and end the service. Here every label has a
bounded set of values.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.contract import PredictAnswer, PredictRequest
from serving.errors import InternalError, RequestError
from serving.instance import Instance

logger = logging.getLogger("bentoml.yolov7")

OTHER = "other"  # The one series of all unknown paths.

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 5, 10, 30)


class ServiceMetrics:
    """The metrics of one worker, in a registry of their own; to be made once per worker."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter("yolov7_requests_total", "Requests", ["path", "status"], registry=self._registry)
        self.seconds = Histogram(
            "yolov7_request_duration_seconds", "Request to response", ["path"], buckets=SECONDS, registry=self._registry
        )
        self.in_progress = Gauge("yolov7_requests_in_progress", "Requests being answered", registry=self._registry)
        self.steps = Histogram(
            "yolov7_step_duration_seconds",
            "Time of one step of an answered request, seconds",
            ["step"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.detections = Counter("yolov7_detections_total", "Objects found", ["label"], registry=self._registry)
        self.errors = Counter(
            "yolov7_errors_total", "Requests answered with an error", ["code"], registry=self._registry
        )
        self.instance = Info("yolov7_instance", "Processor of the instance", registry=self._registry)
        ProcessCollector(registry=self._registry)

    def page(self) -> Response:
        """All metrics in Prometheus's text format."""
        return Response(generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class MetricsMiddleware:
    """Counts every request, by path where the path is one of `known`; `metrics` is called in the worker only."""

    def __init__(self, app: ASGIApp, metrics: Callable[[], ServiceMetrics], known: Collection[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics, started = self._metrics(), time.perf_counter()
        path = scope["path"] if scope["path"] in self._known else OTHER
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with metrics.in_progress.track_inprogress():
            try:
                await self._app(scope, receive, watched)
            finally:
                metrics.requests.labels(path, status).inc()
                metrics.seconds.labels(path).observe(time.perf_counter() - started)


class PrometheusObserver:
    """Logs what /predict answers and counts it in the worker's metrics; logs once what the instance is."""

    def __init__(self, metrics: ServiceMetrics, instance: Instance) -> None:
        self._metrics = metrics
        self._instance = instance
        metrics.instance.info({"cpu": instance.processor.model, "isa": instance.processor.isa})
        logger.info("instance %s", json.dumps(instance.facts()))

    def answered(self, request: PredictRequest, answer: PredictAnswer, request_id: str) -> None:
        for step, taken_ms in answer.timings_ms.taken().items():
            self._metrics.steps.labels(step).observe(taken_ms / 1000)
        for detection in answer.detections:
            self._metrics.detections.labels(detection.label).inc()
        result = answer.filename or "not stored"
        took, processor = answer.timings_ms.total, self._instance.processor
        logger.info("%s 200 %s -> %s, %g ms on %s", request_id, request.filename, result, took, processor)

    def failed(self, error: RequestError, cause: Exception, request_id: str) -> None:
        self._metrics.errors.labels(error.code).inc()
        if isinstance(error, InternalError):
            logger.error("%s %s %s", request_id, error.status, error.code, exc_info=cause)
        else:
            logger.warning("%s %s %s: %s", request_id, error.status, error.code, error)
