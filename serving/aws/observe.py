"""Logs, CloudWatch metrics and traces of the Lambda function, by Powertools."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from serving.contract import PredictAnswer, PredictRequest
from serving.errors import InternalError, RequestError
from serving.instance import Instance

NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "YOLOv7")
SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "yolov7")

logger = Logger(service=SERVICE)
metrics = Metrics(namespace=NAMESPACE, service=SERVICE)
# Even a disabled tracer imports X-Ray's SDK, which takes 0.2 s of a cold start: it is made only on request.
tracer = Tracer(service=SERVICE, patch_modules=["botocore"]) if os.environ.get("TRACING") == "xray" else None
logging.getLogger("bentoml")  # Powertools configures only loggers that exist.
copy_config_to_registered_loggers(logger, include={"bentoml"})


class CloudWatchObserver:
    """Logs as JSON and counts in CloudWatch's embedded metric format.

    The processor is a property of the metrics, which Logs Insights can filter by, and not a dimension, which would cost
    a metric for each model.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.started()

    def started(self) -> None:
        """Log once what the instance is: at its start, and when it is restored from a snapshot."""
        logger.info("instance", extra=self._instance.facts())

    def answered(self, request: PredictRequest, answer: PredictAnswer, request_id: str) -> None:
        timings = answer.timings_ms.model_dump()
        for step, taken_ms in answer.timings_ms.taken().items():
            metrics.add_metric(step, MetricUnit.Milliseconds, taken_ms)
        metrics.add_metric("detections", MetricUnit.Count, len(answer.detections))
        if tracer:
            tracer.put_metadata("timings_ms", timings)
        processor = {"cpu": self._instance.processor.model, "isa": self._instance.processor.isa}
        for name, value in processor.items():
            metrics.add_metadata(name, value)
        facts = {"request_id": request_id, "picture": request.filename, "result": answer.filename}
        logger.info("answered", extra={**facts, "timings_ms": timings, **processor})

    def failed(self, error: RequestError, cause: Exception, request_id: str) -> None:
        metrics.add_metric("errors", MetricUnit.Count, 1)
        # The same count by code: an own record, because the dimensions of a record apply to all its metrics.
        with single_metric("errors", MetricUnit.Count, 1, namespace=NAMESPACE) as by_code:
            by_code.add_dimension("service", SERVICE)
            by_code.add_dimension("code", error.code)
        facts = {"request_id": request_id, "code": error.code}
        if isinstance(error, InternalError):
            logger.error("a defect", exc_info=cause, extra=facts)
        else:
            logger.warning(str(error), extra=facts)

    def skipped(self, reason: Exception, request_id: str) -> None:
        """Record an event about a picture that is not to be looked at."""
        metrics.add_metric("skipped", MetricUnit.Count, 1)
        logger.info("skipped: %s", reason, extra={"request_id": request_id})


def observed(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a Lambda handler so that request id, cold start, metrics and, on request, a trace are recorded."""
    handler = metrics.log_metrics(capture_cold_start_metric=True)(handler)
    if tracer:
        handler = tracer.capture_lambda_handler(handler, capture_response=False)
    wrapped: Callable[..., Any] = logger.inject_lambda_context(handler)
    return wrapped
