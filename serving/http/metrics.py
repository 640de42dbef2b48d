"""What `bentoml serve` logs and shows on /metrics about requests, beyond BentoML's own metrics."""

from __future__ import annotations

import logging

from prometheus_client import Counter, Histogram

from serving.contract import STEPS, PredictAnswer, PredictRequest
from serving.errors import InternalError, RequestError

logger = logging.getLogger("bentoml.yolov7")


class PrometheusObserver:
    """Counts in Prometheus and logs; to be made in the worker, where BentoML has prepared Prometheus, and once."""

    def __init__(self) -> None:
        self._step = Histogram(
            "yolov7_step_duration_seconds",
            "Time of one step of an answered request, seconds",
            ["step"],
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 5, 10, 30),
        )
        self._detections = Counter("yolov7_detections_total", "Objects found", ["label"])
        self._errors = Counter("yolov7_errors_total", "Requests answered with an error", ["code"])

    def answered(self, request: PredictRequest, answer: PredictAnswer, request_id: str) -> None:
        timings = answer.timings_ms.model_dump()
        for step in STEPS:
            self._step.labels(step).observe(timings[step] / 1000)
        for detection in answer.detections:
            self._detections.labels(detection.label).inc()
        logger.info("%s 200 %s -> %s, %g ms", request_id, request.filename, answer.filename, timings["total"])

    def failed(self, error: RequestError, cause: Exception, request_id: str) -> None:
        self._errors.labels(error.code).inc()
        if isinstance(error, InternalError):
            logger.error("%s %s %s", request_id, error.status, error.code, exc_info=cause)
        else:
            logger.warning("%s %s %s: %s", request_id, error.status, error.code, error)
