"""Connections that no client can hold for ever, and no number of clients can use up.

Uvicorn waits without end for the rest of a request's head, for the rest of a body that nobody reads, and for a client
to take its response. Each such connection is an open file, and a process has about a thousand of them.
"""

from __future__ import annotations

import asyncio
import resource
import uuid
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from serving.errors import InvalidRequest, RequestError
from serving.respond import HttpAnswer

HEAD_TIMEOUT_S = 10.0  # From a connection's start, or a head's first byte, to the head's end.
LINGER_S = 2.0  # For what a client still sends after its response; a connection closed at once would lose the response.
TAKE_TIMEOUT_S = 30.0  # From a response that the client does not take at once to its last byte.


def max_connections() -> int:
    """The connections that a process holds: half of the files that it may open, and at most a thousand."""
    return min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)


class GuardedProtocol(H11Protocol):
    """Uvicorn's HTTP protocol with time limits for slow clients.

    Beyond `limit` connections, the one that has waited longest for its client is closed in favour of the new one, so
    that probes are answered whatever others do. A connection whose request is complete is never closed.
    """

    limit = max_connections()
    head_timeout_s = HEAD_TIMEOUT_S
    linger_s = LINGER_S
    take_timeout_s = TAKE_TIMEOUT_S

    def __init__(self, *args: Any, refuse: Callable[[RequestError, str], HttpAnswer], **kwargs: Any) -> None:
        """`refuse` makes the response to what is not HTTP, of an error and a request id."""
        super().__init__(*args, **kwargs)
        self._refuse = refuse
        self._waiting_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timed: object = None  # The state of the connection that the timer limits.
        self._take_timer: asyncio.TimerHandle | None = None
        self.lingering = False
        self._closed = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._socket = transport
        transport.set_write_buffer_limits(0)  # So that we are told of every byte that the client does not take.
        super().connection_made(_Lingering(transport, self))  # type: ignore[arg-type]
        self._waiting_since = self.loop.time()
        self._limit(h11.IDLE, self.head_timeout_s)
        if len(self.connections) > self.limit:
            waiting = [one for one in self.connections if isinstance(one, GuardedProtocol) and one.waits_for_client]
            min(waiting, key=lambda one: one._waiting_since)._close()

    def data_received(self, data: bytes) -> None:
        if not self.lingering:
            super().data_received(data)
            self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._take_timer = self.loop.call_later(self.take_timeout_s, self._close)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_take_timer()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP as the contract says, unless a response has already begun."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = self._refuse(InvalidRequest("this is not a valid HTTP/1.1 request"), uuid.uuid4().hex)
            headers = {**answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close"}
            for event in (
                h11.Response(status_code=answer.status, headers=list(headers.items()), reason=b"Bad Request"),
                h11.Data(data=answer.body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def finish(self) -> None:
        """Close the connection; while the client still sends its request, only after the linger time.

        The operating system resets a connection that is closed with unread bytes, and the client loses the response.
        """
        if self.conn.their_state not in (h11.SEND_BODY, h11.ERROR):
            self._socket.close()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._socket.write_eof()
        self._socket.resume_reading()
        self._limit("lingering", self.linger_s)
        self.lingering = True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._waiting_since = self.loop.time()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._limit(None, 0)
        self._stop_take_timer()
        super().connection_lost(exc)

    @property
    def waits_for_client(self) -> bool:
        """Whether the client has to send something, the next request or the rest of one, or to take its response."""
        waits = self.lingering or self._take_timer is not None or self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        return waits and not self._closed

    def _watch(self) -> None:
        """Limit the time of a head that has begun, and of a body that comes after its response.

        Between requests uvicorn's own keep-alive limit holds; a body that is read has the request's deadline.
        """
        if self.lingering:
            return
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._limit(h11.IDLE, self.head_timeout_s)
        elif self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE:
            self._limit(h11.SEND_BODY, self.linger_s)
        else:
            self._limit(None, 0)

    def _limit(self, state: object, seconds: float) -> None:
        """Close the connection in so many seconds; a state that is limited already keeps its time."""
        if state is self._timed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timed = state
        self._timer = self.loop.call_later(seconds, self._close) if state else None

    def _stop_take_timer(self) -> None:
        if self._take_timer is not None:
            self._take_timer.cancel()
            self._take_timer = None

    def _close(self) -> None:
        """Close the connection at once: closing it otherwise would wait for the client to take its response."""
        self._closed = True
        self._socket.abort()


class _Lingering:
    """A connection's transport that lingers before it is closed."""

    def __init__(self, transport: asyncio.Transport, protocol: GuardedProtocol) -> None:
        self._transport = transport
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._protocol.lingering or self._transport.is_closing()

    def close(self) -> None:
        if not self.is_closing():
            self._protocol.finish()
