"""A local API Gateway: HTTP in, events of an HTTP API (payload 2.0) to the local Lambda, HTTP out.

Beside the function it serves Lambda's own Invoke API and what there is to watch, all on the loopback address:
POST /2015-03-31/functions/NAME/invocations, GET /metrics, GET /readyz.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator

import anyio
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local.aws_lambda.http_event import http_answer, http_event
from local.aws_lambda.pool import Pool, Throttled
from local.aws_lambda.sandbox import Invocation
from local.aws_lambda.scaling import cpu_scaling
from local.errors import StartError

_log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, of synchronous invocations.
MAX_PAYLOAD_BYTES = 6 * 2**20
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class TooLarge(Exception):
    """A body or an event that AWS would not pass on."""


class Gateway:
    """The HTTP side of a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._scaled, _ = cpu_scaling(pool.function)
        self._threads = anyio.CapacityLimiter(pool.limit + 1)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def app(self) -> Starlette:
        """The ASGI application; when it ends, so do the sandboxes."""

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            self._pool.close()

        routes = [
            Route("/readyz", lambda _: PlainTextResponse("ready")),
            Route("/metrics", lambda _: PlainTextResponse(generate_latest(self._registry))),
            Route("/2015-03-31/functions/{name}/invocations", self.invoke, methods=["POST"]),
            Route("/{path:path}", self.proxy, methods=METHODS),
        ]
        return Starlette(routes=routes, lifespan=lifespan)

    async def proxy(self, request: Request) -> Response:
        """Pass a request on as an event and the function's answer back, with API Gateway's own errors."""
        try:
            event = http_event(request, await _read(request))
            done = await self._invoke(json.dumps(event).encode())
        except ClientDisconnect:
            return Response(status_code=499)
        except TooLarge:
            return _message(413, "Request Entity Too Large")
        except Throttled:
            return _message(429, "Too Many Requests")
        except StartError as exc:
            _log.error("%s", exc)
            return _message(500, "Internal Server Error")
        if done.failure == "timeout":
            return _message(503, "Service Unavailable")
        answer = None if done.failure else http_answer(done.payload)
        return answer or _message(500, "Internal Server Error")

    async def invoke(self, request: Request) -> Response:
        """Lambda's Invoke API, synchronous: for direct invocation and for events of other sources."""
        try:
            event = await _read(request)
            json.loads(event)
            done = await self._invoke(event)
        except ClientDisconnect:
            return Response(status_code=499)
        except ValueError:
            return _error(400, "InvalidRequestContentException", "Could not parse request body into json")
        except TooLarge:
            limit = f"Request must be smaller than {MAX_PAYLOAD_BYTES} bytes for the InvokeFunction operation"
            return _error(413, "RequestTooLargeException", limit)
        except Throttled:
            return _error(429, "TooManyRequestsException", "Rate Exceeded.")
        except StartError as exc:
            _log.error("%s", exc)
            return _error(500, "ServiceException", "no sandbox could be started")
        headers = {"X-Amz-Executed-Version": "$LATEST"}
        payload = done.payload
        if done.failure:
            headers["X-Amz-Function-Error"] = "Unhandled"
        if done.failure == "timeout":
            payload = json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": payload.decode()}).encode()
        return Response(payload, 200, headers, "application/json")

    async def _invoke(self, event: bytes) -> Invocation:
        if len(event) > MAX_PAYLOAD_BYTES:  # A picture's event holds it as base64.
            raise TooLarge
        # An event is carried through even when its sender hangs up.
        return await asyncio.shield(anyio.to_thread.run_sync(self._pool.invoke, event, limiter=self._threads))

    def collect(self) -> list[Metric]:
        """The figures of /metrics, in Prometheus's words."""
        pool = self._pool
        sandboxes = GaugeMetricFamily("local_lambda_sandboxes", "Sandboxes of the local Lambda", labels=["state"])
        for state, count in pool.state().items():
            sandboxes.add_metric([state], count)
        invocations = CounterMetricFamily("local_lambda_invocations", "Events, by what came of them", labels=["result"])
        for result in ("answered", "exception", "exit", "timeout", "throttled"):
            invocations.add_metric([result], pool.invocations[result])
        gauges = {
            "memory_limit_bytes": ("Memory of a sandbox", pool.function.memory_mb * 2**20),
            "memory_peak_bytes": ("Most memory that a sandbox has used", pool.peak_memory),
            "concurrency_limit": ("Most sandboxes at once", pool.limit),
            "cpus_of_aws": ("CPUs that AWS gives for this memory", pool.function.cpus),
            "cpu_scaled": ("1 where requests get the CPUs of AWS, 0 where they get all", self._scaled),
            "last_init_seconds": (
                "Latest init, as the runtime emulator reports it",
                pool.last_init_ms / 1000,
            ),
        }
        return [
            sandboxes,
            invocations,
            CounterMetricFamily("local_lambda_cold_starts", "First events of a sandbox", pool.cold_starts),
            *(GaugeMetricFamily(f"local_lambda_{name}", text, value) for name, (text, value) in gauges.items()),
        ]


async def _read(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_PAYLOAD_BYTES:
            raise TooLarge
    return body


def _message(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status)


def _error(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"Type": "User", "Message": message}, status, {"X-Amzn-ErrorType": kind})
