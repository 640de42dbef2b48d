"""Serves the BentoML service in one process, by uvicorn.

`bentoml serve` supervises its workers by circus, which listens on two more ports of the loopback address and runs any
command that a local user sends there. It keeps the service's own socket open when a worker ends, so that connections
hang. Here a process that ends is the platform's to start again, as platforms do.
"""

from __future__ import annotations

import argparse
import functools
import logging
import math
import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import bentoml
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.errors import RequestError, SettingsError
from serving.http.connections import GuardedProtocol
from serving.http.metrics import ServiceMetrics
from serving.http.middleware import to_response
from serving.instance import request_id_from
from serving.respond import Responder
from serving.routes import Routes, check_route
from serving.settings import Settings

# More than the 60 s of AWS's load balancers, which answer 502 when a service closes a connection that they use.
KEEP_ALIVE_S = 75

METRICS: Routes = {"/metrics": ("GET", "HEAD")}


def serve(
    service: bentoml.Service[Any],
    settings: Callable[[], Settings],
    responder: Callable[[], Responder],
    arguments: Sequence[str],
) -> int:
    """Serve until SIGTERM or SIGINT, then refuse connections and finish the requests in work; returns the exit status.

    `arguments` are those of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m service", description=service.inner.__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="Address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=3000, help="Port to listen on (default: %(default)s)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    service.inner.check_setup()
    config = _config(
        service.to_asgi(),
        GuardedProtocol,
        responder,
        host=options.host,
        port=options.port,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings().request_timeout_s),
    )
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 1


class MetricsProtocol(GuardedProtocol):
    """The protocol for a few clients that ask for the metrics."""

    limit = 20


def serve_metrics(port: int, metrics: ServiceMetrics, responder: Callable[[], Responder]) -> None:
    """Answer /metrics on a port of its own, on all interfaces, in a thread; raises SettingsError when it is taken."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            check_route(METRICS, scope["method"], scope["path"])
            response = metrics.page()
        except RequestError as exc:
            response = to_response(responder().refuse(exc, request_id_from(None)))
        await response(scope, receive, send)

    server = uvicorn.Server(_config(app, MetricsProtocol, responder, lifespan="off"))
    threading.Thread(target=server.run, kwargs={"sockets": [listen(port)]}, daemon=True).start()


def listen(port: int) -> socket.socket:
    """Listen on METRICS_PORT; raises SettingsError."""
    try:
        return socket.create_server(("", port))
    except OSError as exc:
        reason = os.strerror(exc.errno or 0)
        raise SettingsError(f"METRICS_PORT {port} cannot be used ({reason}): choose another port") from None


def _config(
    app: ASGIApp, protocol: type[GuardedProtocol], responder: Callable[[], Responder], **options: Any
) -> uvicorn.Config:
    http: Any = functools.partial(protocol, refuse=lambda cause, name: responder().refuse(cause, name))
    fixed: dict[str, Any] = {"ws": "none", "log_config": None, "access_log": False, "server_header": False}
    return uvicorn.Config(app, http=http, **fixed, **options)
