"""The Lambda door: AWS events in, the answers of /predict out.

`serving.aws` has one module per kind of event; any other event is a direct invocation with a request.
"""

# Compiling the network takes as long as importing the rest, and the two do not compete for the interpreter: what
# compiling needs is imported first, and the rest is imported while it runs. Hence the imports further down.
# ruff: noqa: E402
from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path

from detection.engine import Engine, load_in_background

# On demand, a request is already waiting; a warm-up inference and imports that it may not need would only delay it.
_on_demand = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") == "on-demand"
_compiling: Future[Engine] | None = None
if os.environ.get("MODEL_FOLDER"):
    _compiling = load_in_background(Path(os.environ["MODEL_FOLDER"]), hurried=_on_demand)

import random
import sys
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from snapshot_restore_py import register_after_restore

from detection.errors import UserError
from serving.aws.batch_events import BatchEvents
from serving.aws.function import Function
from serving.aws.http_events import HttpEvents
from serving.aws.object_events import ObjectEvents
from serving.aws.observe import CloudWatchObserver, observed
from serving.aws.queue_events import QueueEvents
from serving.instance import Instance
from serving.predictor import Predictor, load_predictor
from serving.respond import Responder
from serving.settings import load_settings


def _load() -> Predictor:
    settings = load_settings()
    if _compiling is not None:
        return load_predictor(settings, Path(settings.model_folder), _compiling.result, warm_up=not _on_demand)
    from model_store import store  # Only on a laptop: importing BentoML takes a second.

    folder = store.located(settings.model)
    return load_predictor(
        settings, folder, load_in_background(folder, hurried=_on_demand).result, warm_up=not _on_demand
    )


try:
    predictor = _load()
except UserError as exc:
    sys.stderr.write(f"error: {exc}\n")
    raise SystemExit(1) from None

instance = Instance(version=predictor.settings.service_version, image_digest=predictor.settings.image_digest)
observer = CloudWatchObserver(instance)
function = Function(predictor, Responder(instance, observer), observer)
_http, _objects = HttpEvents(function), ObjectEvents(function)
KINDS = (_http, BatchEvents(function, _objects), QueueEvents(function, _objects), _objects)
if not _on_demand:
    _ = _http.resolvers


@register_after_restore  # type: ignore[untyped-decorator]
def after_restore() -> None:
    """Renew what copies of one SnapStart snapshot must not share: the instance's id, random state, S3 connections."""
    instance.renew()
    observer.started()
    random.seed()
    predictor.storage.reconnect()


@observed
def handler(event: Any, context: LambdaContext) -> Any:
    """Answer one event in the form that its sender expects; raises EventFailed where a sender expects nothing."""
    return function.answer(event, context, KINDS)
