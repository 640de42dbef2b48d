"""Connections that no client can hold for ever, and no number of clients can use up.

Uvicorn waits without end for the rest of a request's head, and for the rest of a body that nobody reads. Each such
connection is an open file, and a process has about a thousand of them.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_TIMEOUT_S = 10.0  # From a connection's start, or a head's first byte, to the head's end.
LINGER_S = 2.0  # For what a client still sends after its response; a connection closed at once would lose the response.


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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timed: object = None  # The state of the connection that the timer limits.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        self._limit(h11.IDLE, self.head_timeout_s)
        if len(self.connections) > self.limit:
            waiting = [one for one in self.connections if isinstance(one, GuardedProtocol) and one.waits_for_client]
            min(waiting, key=lambda one: one._waiting_since)._close()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._waiting_since = self.loop.time()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._limit(None, 0)
        super().connection_lost(exc)

    @property
    def waits_for_client(self) -> bool:
        """Whether the client has to send something: the next request, or the rest of one."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _watch(self) -> None:
        """Limit the time of a head that has begun, and of a body that comes after its response.

        Between requests uvicorn's own keep-alive limit holds; a body that is read has the request's deadline.
        """
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

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
