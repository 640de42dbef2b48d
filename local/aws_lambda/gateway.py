"""A local API Gateway: HTTP in, events of an HTTP API (payload 2.0) to the local Lambda, HTTP out.

Beside the function it serves Lambda's own Invoke API and what there is to watch, all on the loopback address:
POST /2015-03-31/functions/NAME/invocations, GET /metrics, GET /readyz.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import compileall
import contextlib
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local.aws_lambda.pool import Pool, Throttled
from local.aws_lambda.sandbox import Function, Invocation, cpu_scaling, emulator, function_environment
from local.checkout import ROOT
from local.containers import container_engine
from local.errors import StartError

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, of synchronous invocations.
MAX_PAYLOAD_BYTES = 6 * 2**20
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class TooLarge(Exception):
    """A body that AWS would not pass on."""


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
            sys.stderr.write(f"error: {exc}\n")
            return _message(500, "Internal Server Error")
        if done.failure == "timeout":
            return _message(503, "Service Unavailable")
        answer = None if done.failure else _http_answer(done.payload)
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
            sys.stderr.write(f"error: {exc}\n")
            return _error(500, "ServiceException", "no sandbox could be started")
        headers = {"X-Amz-Executed-Version": "$LATEST"}
        payload = done.payload
        if done.failure:
            headers["X-Amz-Function-Error"] = "Unhandled"
        if done.failure == "timeout":
            payload = json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": payload.decode()}).encode()
        return Response(payload, 200, headers, "application/json")

    async def _invoke(self, event: bytes) -> Invocation:
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


def http_event(request: Request, body: bytes) -> dict[str, Any]:
    """The event that an HTTP API makes of a request, payload format 2.0.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        if name != "cookie":
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        query[name] = f"{query[name]},{value}" if name in query else value
    now = datetime.now(timezone.utc)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.url.path,
        "rawQueryString": request.url.query,
        "headers": headers,
        "requestContext": {
            "accountId": "012345678912",
            "apiId": "local",
            "domainName": headers.get("host", "localhost"),
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": request.url.path,
                "protocol": f"HTTP/{request.scope['http_version']}",
                "sourceIp": request.client.host if request.client else "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": uuid.uuid4().hex[:15] + "=",
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = query
    if "cookie" in request.headers:
        event["cookies"] = [part.strip() for part in request.headers["cookie"].split(";")]
    if body:
        text = _text(headers.get("content-type", ""), body)
        event["body"] = base64.b64encode(body).decode() if text is None else text
        event["isBase64Encoded"] = text is None
    return event


def _text(content_type: str, body: bytes) -> str | None:
    """The body as text where its type says that it is text, None where it must travel as base64."""
    kind = content_type.split(";")[0].strip().lower()
    if kind.startswith("text/") or kind in ("application/json", "application/javascript", "application/xml"):
        with contextlib.suppress(UnicodeDecodeError):
            return body.decode()
    return None


def _http_answer(payload: bytes) -> Response | None:
    """HTTP of a function's answer, or None when it is in none of the forms that API Gateway takes."""
    try:
        answer = json.loads(payload)
        if not isinstance(answer, dict) or "statusCode" not in answer:
            return Response(payload, 200, {"Content-Type": "application/json"})
        body = answer.get("body") or ""
        data = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        response = Response(data, int(answer["statusCode"]), _headers(answer.get("headers")))
        for cookie in answer.get("cookies") or []:
            response.headers.append("Set-Cookie", cookie)
    except (ValueError, TypeError, AttributeError):
        return None
    return response


def _headers(headers: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (headers or {}).items()}


def _message(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status)


def _error(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"Type": "User", "Message": message}, status, {"X-Amzn-ErrorType": kind})


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="of the sandboxes' logs and /tmp")
    parser.add_argument("--handler", default="lambda_function.handler")
    parser.add_argument("--code", type=Path, default=ROOT, help="folder of the handler")
    add_options(parser)
    options = parser.parse_args(arguments)
    env = function_environment(os.environ)
    function = Function(options.handler, options.code, env, options.memory, options.timeout, image=options.image)
    try:
        emulator()
        if options.image:
            container_engine()
    except StartError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    for file in modules_of(options.code):
        compileall.compile_file(file, quiet=2)  # As in the image, so that no cold start does it.
    pool = Pool(function, options.folder, limit=options.concurrency, idle_s=options.idle)
    uvicorn.run(Gateway(pool).app(), host="127.0.0.1", port=options.port, log_level="warning", access_log=False)
    return 0


def modules_of(code: Path) -> list[Path]:
    """The Python files that a sandbox imports from the folder of the function's code."""
    return [*code.glob("*.py"), *(file for room in ("detection", "serving") for file in (code / room).rglob("*.py"))]


def add_options(parser: argparse.ArgumentParser) -> None:
    """What can be said of the function."""
    parser.add_argument("--memory", type=int, default=3000, help="of a sandbox, MB; AWS gives a CPU per 1769")
    parser.add_argument("--timeout", type=int, default=30, help="of a request, seconds")
    parser.add_argument("--concurrency", type=int, default=10, help="most sandboxes at once; beyond it 429 is answered")
    parser.add_argument("--image", help="run the function from this image, not from this folder")
    parser.add_argument("--idle", type=float, default=300, help="seconds after which an idle sandbox is ended")


if __name__ == "__main__":
    sys.exit(main())
