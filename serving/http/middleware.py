"""Keeps the contract where BentoML has its own ways: request ids, request bodies, the queue, the OpenAPI document."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.bounds import Deadline
from serving.contract import Call, PredictRequest
from serving.errors import RequestError
from serving.http.incoming import UPLOADS, Held, UploadRoom, read_request
from serving.http.queue import Place, Queue
from serving.instance import request_id_from
from serving.keys import ApiKeys
from serving.page.documents import unless_unchanged
from serving.respond import HttpAnswer, Responder, failure
from serving.routes import PREDICT, Routes, check_route
from serving.settings import Settings

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id")
deadline: contextvars.ContextVar[Deadline] = contextvars.ContextVar("deadline")
call: contextvars.ContextVar[Call] = contextvars.ContextVar("call")

_PIECE = 1 << 16  # bytes

# What orchestrators ask; BentoML answers these, and /schema.json, which its own clients read.
PROBES: Routes = dict.fromkeys(("/livez", "/readyz", "/healthz"), ("GET", "HEAD"))
BENTOML: Routes = {"/schema.json": ("GET", "HEAD")}
# BentoML's files for /docs.
SWAGGER: Routes = dict.fromkeys(
    ("/static_content/swagger-ui.css", "/static_content/swagger-ui-bundle.js"), ("GET", "HEAD")
)
# All that BentoML needs of a request's headers; nothing else that a client sends reaches it.
_PASSED_ON = (b"traceparent", b"tracestate")


class ContractMiddleware:
    """Answers what BentoML would answer in another shape, and passes valid requests on to it.

    The request's body is parsed here, once: BentoML gets the validated request, written as JSON again. A picture that
    came with it does not pass through BentoML; `call` has it. `pages` are answered here, by path; `public` too, without
    a key. `responder`, `settings`, `keys` and the pages are called in the worker only: the process that starts the
    workers has none.
    """

    def __init__(
        self,
        app: ASGIApp,
        responder: Callable[[], Responder],
        settings: Callable[[], Settings],
        keys: Callable[[], ApiKeys],
        pages: Mapping[str, Callable[[], Response]],
        public: Mapping[str, HttpAnswer] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._responder = responder
        self._settings = settings
        self._keys = keys
        self._pages = pages
        self._public = public
        answered_here = dict.fromkeys((*public, *pages), ("GET", "HEAD"))
        self.routes: Routes = {**PREDICT, **answered_here, **PROBES, **BENTOML, **(SWAGGER if "/docs" in pages else {})}
        self._queue = Queue()
        self._room = UploadRoom()
        self._working: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        headers, path = Headers(scope=scope), scope["path"]
        request_id.set(request_id_from(headers.get("x-request-id")))
        try:
            check_route(self.routes, scope["method"], path)
            if path not in PROBES and path not in self._public:
                self._keys().check(lambda name: _utf8(headers.get(name)))
        except RequestError as exc:
            await self._refuse(exc)(scope, receive, send)
            return
        if path in self._public:
            found = unless_unchanged(self._public[path], headers.get("if-none-match"))
            await to_response(found)(scope, receive, send)
        elif path in self._pages:
            await self._pages[path]()(scope, receive, send)
        elif path in PREDICT:
            await self._predict(scope, receive, send)
        else:
            await self._app(_bare(scope), receive, send)

    def _refuse(self, cause: Exception) -> Response:
        return to_response(self._responder().refuse(cause, request_id.get()))

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self._settings()
        ends = Deadline(settings.request_timeout_s)
        deadline.set(ends)
        held = Held(self._room, UPLOADS * settings.max_image_bytes)
        try:
            asked = await read_request(Request(scope, receive), ends, held, settings.max_image_bytes)
            place = self._queue.enter(settings.max_queue, ends)
        except Exception as exc:  # noqa: BLE001
            # An exception that passes would become a response of another shape.
            held.free()
            await self._refuse(exc)(scope, receive, send)
            return
        call.set(asked)
        response = _Response(send, place)
        work = asyncio.ensure_future(self._app(_bare(scope), _replay(asked.request, receive), response.send))
        self._working.add(work)  # The loop itself keeps only a weak reference.
        work.add_done_callback(lambda done: self._free(done, held, place))
        await asyncio.wait({work}, timeout=ends.remaining_s())
        if work.done() or response.begun:
            await work
            return
        # The thread cannot be stopped. It ends at its next step, and only then its place in the queue is free.
        response.dropped = True
        # The thread's own end is what is logged.
        late = failure(ends.exceeded("be answered"), self._responder().instance, request_id.get())
        await to_response(late)(scope, receive, send)

    def _free(self, work: asyncio.Future[None], held: Held, place: Place) -> None:
        held.free()
        place.free()
        self._working.discard(work)
        if not work.cancelled():
            work.exception()  # Of a request that was answered with 504; any other has been awaited.


class _Response:
    """Passes a response on, unless it comes too late.

    A picture is passed on in pieces: uvicorn takes the next one when the client has taken the last, and until then the
    request keeps its place in the queue. So clients that do not take their responses cannot fill the memory.
    """

    def __init__(self, send: Send, place: Place) -> None:
        self._send = send
        self._place = place
        self.begun = False
        self.dropped = False

    async def send(self, message: Message) -> None:
        self._place.answered(in_time=not self.dropped)
        if self.dropped:
            return
        self.begun = True
        body = message.get("body", b"")
        for start in range(0, len(body) - _PIECE, _PIECE):
            await self._send({**message, "body": body[start : start + _PIECE], "more_body": True})
        await self._send({**message, "body": body[(len(body) - 1) // _PIECE * _PIECE :]} if body else message)


def to_response(answer: HttpAnswer) -> Response:
    """Starlette's form of a response."""
    return Response(answer.body, answer.status, answer.headers)


def _utf8(header: str | None) -> str | None:
    """A header's value read as UTF-8, as the Lambda door gets it: Starlette reads ISO 8859-1."""
    return header and header.encode("latin-1").decode(errors="replace")


def _bare(scope: Scope) -> Scope:
    """The same request without what the client sent beside the body, which BentoML's layers would decode and log."""
    kept = [(name, value) for name, value in scope["headers"] if name in _PASSED_ON and value.isascii()]
    return {**scope, "query_string": b"", "headers": [*kept, (b"content-type", b"application/json")]}


def _replay(request: PredictRequest, receive: Receive) -> Receive:
    """A receive that gives the request as JSON, then what the server has to say."""
    body = request.model_dump_json().encode()
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
