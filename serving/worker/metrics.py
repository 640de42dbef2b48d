"""The log and the metrics of the worker."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from serving.http.metrics import PrometheusObserver, ServiceMetrics, logger
from serving.instance import Instance

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21_600, 86_400)


class WorkerMetrics(ServiceMetrics):
    """The metrics of the service, with those of the queue."""

    def __init__(self) -> None:
        super().__init__()
        self.messages = Counter(
            "yolov7_messages_total",
            "Messages by what became of them: done, failed, or undeleted",
            ["outcome"],
            registry=self._registry,
        )
        self.in_work = Gauge("yolov7_messages_in_progress", "Messages being answered", registry=self._registry)
        self.age = Histogram(
            "yolov7_message_age_seconds", "From sent to answered", buckets=SECONDS, registry=self._registry
        )
        self.skipped = Counter(
            "yolov7_skipped_total", "Events about the service's own results and folders", registry=self._registry
        )


class WorkerObserver(PrometheusObserver):
    """Logs what becomes of events and requests, and counts it."""

    def __init__(self, metrics: WorkerMetrics, instance: Instance) -> None:
        super().__init__(metrics, instance)
        self._skipped = metrics.skipped

    def skipped(self, reason: Exception, request_id: str) -> None:
        """Record an event about a picture that is not to be looked at."""
        self._skipped.inc()
        logger.info("%s skipped: %s", request_id, reason)
