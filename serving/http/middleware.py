"""Keeps the contract where BentoML has its own ways: request ids, request bodies, the queue, the OpenAPI document."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import anyio
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.bounds import Deadline
from serving.contract import MAX_BODY_BYTES, PredictRequest, parse_request
from serving.errors import InvalidRequest, Overloaded
from serving.instance import request_id_from
from serving.respond import HttpAnswer, Responder, failure
from serving.settings import Settings

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id")
deadline: contextvars.ContextVar[Deadline] = contextvars.ContextVar("deadline")


class ContractMiddleware:
    """Answers what BentoML would answer in another shape, and passes valid requests on to it.

    The request's body is parsed here, once: BentoML gets the validated request, written as JSON again. `responder`,
    `settings` and `document` are called in the worker only, because the process that starts the workers has none.
    """

    def __init__(
        self,
        app: ASGIApp,
        responder: Callable[[], Responder],
        settings: Callable[[], Settings],
        document: Callable[[], dict[str, Any]],
    ) -> None:
        self._app = app
        self._responder = responder
        self._settings = settings
        self._document = document
        self._in_work = 0
        self._working: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/docs.json":
            await JSONResponse(self._document())(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == "/predict" and scope["method"] == "POST":
            await self._predict(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        request_id.set(request_id_from(headers.get("x-request-id")))
        ends = Deadline(self._settings().request_timeout_s)
        deadline.set(ends)
        try:
            body = await _read_body(Request(scope, receive), ends)
            request = parse_request(body, headers.get("content-type"))
            limit = self._settings().max_queue
            if self._in_work >= limit:
                raise Overloaded(f"{limit} requests are in work or waiting (MAX_QUEUE): try again later")
        except Exception as exc:  # noqa: BLE001
            # An exception that passes would make BentoML hold the connection until its own timeout.
            await to_response(self._responder().refuse(exc, request_id.get()))(scope, receive, send)
            return
        self._in_work += 1
        response = _Response(send)
        work = asyncio.ensure_future(self._app(_as_json(scope), _replay(request, receive), response.send))
        self._working.add(work)  # The loop itself keeps only a weak reference.
        work.add_done_callback(self._free)
        await asyncio.wait({work}, timeout=ends.remaining_s())
        if work.done() or response.begun:
            await work
            return
        # The thread cannot be stopped. It ends at its next step, and only then its place in the queue is free.
        response.dropped = True
        # The thread's own end is what is logged.
        late = failure(ends.exceeded("be answered"), self._responder().instance, request_id.get())
        await to_response(late)(scope, receive, send)

    def _free(self, work: asyncio.Future[None]) -> None:
        self._in_work -= 1
        self._working.discard(work)
        if not work.cancelled():
            work.exception()  # Of a request that was answered with 504; any other has been awaited.


class _Response:
    """Passes a response on, unless it comes too late."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self.dropped = False

    async def send(self, message: Message) -> None:
        if not self.dropped:
            self.begun = True
            await self._send(message)


def to_response(answer: HttpAnswer) -> Response:
    """Starlette's form of a response."""
    return Response(answer.body, answer.status, answer.headers)


async def _read_body(request: Request, ends: Deadline) -> bytes:
    """The body, or just enough of it to see that it is too large."""
    body = b""
    try:
        with anyio.fail_after(ends.remaining_s()):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    break
    except TimeoutError:
        raise ends.exceeded("read the request's body") from None
    except ClientDisconnect:
        raise InvalidRequest("the client disconnected before the request's body was complete") from None
    return body


def _as_json(scope: Scope) -> Scope:
    """The same request with JSON as its content type, and without the length of the body that it came with."""
    kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-type", b"content-length")]
    return {**scope, "headers": [*kept, (b"content-type", b"application/json")]}


def _replay(request: PredictRequest, receive: Receive) -> Receive:
    """A receive that gives the request as JSON, then what the server has to say."""
    body = request.model_dump_json().encode()
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
