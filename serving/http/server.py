"""Serves the BentoML service in one process, by uvicorn.

`bentoml serve` supervises its workers by circus, which listens on two more ports of the loopback address and runs any
command that a local user sends there. It keeps the service's own socket open when a worker ends, so that connections
hang. Here a process that ends is the platform's to start again, as platforms do.
"""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import bentoml
import uvicorn

from serving.http.background import config
from serving.http.connections import GuardedProtocol
from serving.respond import Responder
from serving.settings import Settings

# More than the 60 s of AWS's load balancers, which answer 502 when a service closes a connection that they use.
KEEP_ALIVE_S = 75


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
    made = config(
        service.to_asgi(),
        GuardedProtocol,
        responder,
        host=options.host,
        port=options.port,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings().request_timeout_s),
    )
    server = uvicorn.Server(made)
    server.run()
    return 0 if server.started else 1
