"""Answers a few pages, such as the metrics, in a thread beside the work of the process."""

from __future__ import annotations

import functools
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.errors import RequestError, SettingsError
from serving.http.connections import GuardedProtocol
from serving.http.metrics import ServiceMetrics
from serving.http.middleware import to_response
from serving.instance import request_id_from
from serving.respond import Responder
from serving.routes import Routes, check_route


class FewClientsProtocol(GuardedProtocol):
    """The protocol for the few clients of these pages."""

    limit = 20


def serve_metrics(port: int, metrics: ServiceMetrics, responder: Callable[[], Responder]) -> None:
    """Answer /metrics on a port of its own, on all interfaces, in a thread; raises SettingsError when it is taken."""
    serve_pages([listen(port)], {"/metrics": metrics.page}, responder)


def serve_pages(
    sockets: Sequence[socket.socket], pages: Mapping[str, Callable[[], Response]], responder: Callable[[], Responder]
) -> None:
    """Answer GET of these pages, by path, on sockets that listen, in a thread that ends with the process."""
    routes: Routes = dict.fromkeys(pages, ("GET", "HEAD"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            check_route(routes, scope["method"], scope["path"])
            response = pages[scope["path"]]()
        except RequestError as exc:
            response = to_response(responder().refuse(exc, request_id_from(None)))
        await response(scope, receive, send)

    server = uvicorn.Server(config(app, FewClientsProtocol, responder, lifespan="off"))
    threading.Thread(target=server.run, kwargs={"sockets": list(sockets)}, daemon=True).start()


def listen(port: int, host: str = "", name: str = "METRICS_PORT") -> socket.socket:
    """Listen on a port; raises SettingsError, whose message names it as the user does."""
    try:
        return socket.create_server((host, port))
    except OSError as exc:
        reason = os.strerror(exc.errno or 0)
        raise SettingsError(f"{name} {port} cannot be used ({reason}): choose another port") from None


def config(
    app: ASGIApp, protocol: type[GuardedProtocol], responder: Callable[[], Responder], **options: Any
) -> uvicorn.Config:
    """Uvicorn's configuration with a protocol that refuses as the contract says."""
    http: Any = functools.partial(protocol, refuse=lambda cause, name: responder().refuse(cause, name))
    fixed: dict[str, Any] = {"ws": "none", "log_config": None, "access_log": False, "server_header": False}
    return uvicorn.Config(app, http=http, **fixed, **options)
