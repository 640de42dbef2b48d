"""The HTTP door: a BentoML service."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bentoml
from starlette.responses import JSONResponse, RedirectResponse, Response

from detection.card import read_card
from detection.engine import load_engine
from detection.errors import UserError
from model_store import store
from serving.contract import PredictAnswer, PredictRequest
from serving.http.background import listen, serve_metrics
from serving.http.metrics import MetricsMiddleware, PrometheusObserver, ServiceMetrics
from serving.http.middleware import ContractMiddleware, call, deadline, request_id, to_response
from serving.http.openapi import openapi
from serving.http.server import serve
from serving.instance import Instance
from serving.keys import ApiKeys
from serving.page.documents import docs_page, start_page
from serving.predictor import load_predictor
from serving.respond import HttpAnswer, Responder
from serving.settings import Settings, load_settings

# Threads beyond INFERENCES, at most 4, wait for S3.
THREADS = 8


@functools.cache
def settings() -> Settings:
    """The settings of this process."""
    return load_settings()


@functools.cache
def metrics() -> ServiceMetrics:
    """The metrics of this worker."""
    return ServiceMetrics()


@functools.cache
def responder() -> Responder:
    """The responder of this worker; the process that starts the workers has none."""
    instance = Instance(version=settings().service_version, image_digest=settings().image_digest)
    return Responder(instance, PrometheusObserver(metrics(), instance))


class ContractService(bentoml.Service[Any]):  # type: ignore[misc]
    """A BentoML service whose every response is the contract's: all that BentoML adds lies behind our middleware."""

    def to_asgi(self, is_main: bool = True) -> Any:
        pages: dict[str, Callable[[], Response]] = {
            "/docs.json": functools.cache(lambda: JSONResponse(self._document())),
        }
        public: dict[str, HttpAnswer] = {}
        if settings().page == "on":
            public["/"] = start_page(settings(), links_docs=True)
            pages["/docs"] = functools.cache(lambda: to_response(docs_page()))
        else:
            pages["/"] = lambda: RedirectResponse("/docs.json")
        if not settings().metrics_port:
            pages["/metrics"] = lambda: metrics().page()
        keys = functools.cache(lambda: ApiKeys(settings().api_keys))
        app = super().to_asgi(is_main)
        # BentoML's timeout frees a request's place, but not its thread, and its timers keep the memory of each request
        # until they fire. Our deadline does neither.
        app.user_middleware = [one for one in app.user_middleware if one.cls.__name__ != "TimeoutMiddleware"]
        contract = ContractMiddleware(app, responder, settings, keys, pages, public)
        return MetricsMiddleware(contract, metrics, contract.routes)

    def _document(self) -> dict[str, Any]:
        folder = store.located(settings().model, settings().model_folder)
        return openapi(self, read_card(folder).labels, keys=bool(settings().api_keys))


@bentoml.service(
    name="yolov7",
    service_class=ContractService,
    threads=THREADS,
    # BentoML adds a series for every path that is asked for, and writes paths into its log as they come.
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class YOLOv7:
    """Finds objects in a picture, uploaded or from S3, with YOLOv7; writes or returns the annotated picture."""

    def __init__(self) -> None:
        responder()
        if settings().metrics_port:
            serve_metrics(settings().metrics_port, metrics(), responder)
        folder = store.located(settings().model, settings().model_folder)
        self._predictor = load_predictor(settings(), folder, lambda: load_engine(folder, settings().inferences))

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check_setup() -> None:
        """Stop before any worker starts when a setting or the model is missing or wrong.

        BentoML restarts workers for ever.
        """
        try:
            store.located(settings().model, settings().model_folder)
            if settings().metrics_port:
                listen(settings().metrics_port).close()
        except UserError as exc:
            sys.stderr.write(f"error: {exc}\n")
            raise SystemExit(1) from None

    @bentoml.api(route="/predict", output_spec=PredictAnswer)  # type: ignore[untyped-decorator]
    def predict(self, request: PredictRequest, /) -> Response:
        """Find objects in a picture: one of the input bucket, or one that came with the request."""
        predict = functools.partial(self._predictor.predict, deadline=deadline.get())
        asked = replace(call.get(), request=request)
        return to_response(responder().respond(lambda: asked, predict, request_id.get()))


if __name__ == "__main__":  # Of the image; see serving.http.server.
    sys.exit(serve(YOLOv7, settings, responder, sys.argv[1:]))
