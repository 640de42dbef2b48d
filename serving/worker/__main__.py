"""The worker as a process: python -m serving.worker, or the image with QUEUE_URL."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from starlette.responses import PlainTextResponse, Response

from detection.card import read_card
from detection.engine import load_engine
from detection.errors import UserError
from serving.errors import SettingsError
from serving.events import NewObjects
from serving.http.background import listen, serve_pages
from serving.instance import Instance
from serving.messages import Messages
from serving.predictor import load_predictor
from serving.respond import Responder
from serving.settings import Settings, load_settings
from serving.worker.metrics import WorkerMetrics, WorkerObserver
from serving.worker.queue import Queue
from serving.worker.work import SPARE_THREADS, Worker


def main(arguments: Sequence[str]) -> int:
    """Answer messages until SIGTERM or SIGINT, then finish those in work; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.worker",
        description="Answers the S3 events and requests in the SQS queue QUEUE_URL; other settings as for the service",
    )
    parser.add_argument("--host", default="127.0.0.1", help="Address of the probes and metrics (default: %(default)s)")
    parser.add_argument("--port", type=int, default=3000, help="Port of the probes and metrics (default: %(default)s)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    try:
        _work(options.host, options.port)
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _work(host: str, port: int) -> None:
    settings = load_settings()
    if not settings.queue_url:
        raise SettingsError("QUEUE_URL is not set: set it to the URL of an SQS queue (docs/worker.md)")
    folder = _model_folder(settings)
    queue = Queue(settings.queue_url)
    queue.check()
    sockets = [listen(port, host, "port")]
    if settings.metrics_port not in (0, port):
        sockets.append(listen(settings.metrics_port))
    metrics = WorkerMetrics()
    instance = Instance(version=settings.service_version, image_digest=settings.image_digest)
    observer = WorkerObserver(metrics, instance)
    responder = Responder(instance, observer)
    messages = Messages(NewObjects(settings, observer), responder)
    worker = Worker(queue, messages, metrics, settings.inferences + SPARE_THREADS)
    serve_pages(sockets, pages(worker, metrics), lambda: responder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run(load_predictor(settings, folder, lambda: load_engine(folder, settings.inferences)).predict)


def _model_folder(settings: Settings) -> Path:
    if settings.model_folder:
        read_card(Path(settings.model_folder))
        return Path(settings.model_folder)
    from model_store import store  # Not in the image: importing BentoML takes a second.

    return store.located(settings.model)


def pages(worker: Worker, metrics: WorkerMetrics) -> Mapping[str, Callable[[], Response]]:
    """The probes, as those of the service, and the metrics."""

    def live() -> Response:
        return PlainTextResponse("")

    def ready() -> Response:
        return PlainTextResponse("", 200 if worker.ready else 503)

    return {"/livez": live, "/healthz": live, "/readyz": ready, "/metrics": metrics.page}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
