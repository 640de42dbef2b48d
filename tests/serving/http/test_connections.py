from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from serving.http.connections import GuardedProtocol
from tests.conftest import wait_for

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Impatient(GuardedProtocol):
    """The protocol with limits that a test can wait for."""

    limit = 5
    head_timeout_s = 0.3
    linger_s = 0.3


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without reading a body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def port() -> Iterator[int]:
    """A running server's port."""
    config = uvicorn.Config(app, http=Impatient, lifespan="off", log_config=None, timeout_keep_alive=60)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert wait_for(lambda: server.started)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@contextlib.contextmanager
def connected(port: int, sent: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(sent)
        yield connection


def closed(connection: socket.socket) -> bool:
    """Whether the server closes the connection without another byte; waits for it."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def answered(connection: socket.socket) -> bool:
    got = b""
    while not got.endswith(b"\r\n\r\nok") and (some := connection.recv(65_536)):
        got += some
    return got.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("sent", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: x\r\n", REQUEST + b"GET / HT"])
def test_a_head_that_never_ends_is_given_up(sent: bytes, port: int) -> None:
    with connected(port, sent) as connection:
        assert REQUEST not in sent or answered(connection)
        assert closed(connection)


def test_a_head_that_drips_is_given_up(port: int) -> None:
    with connected(port) as connection, pytest.raises(OSError):
        for _ in range(100):
            connection.sendall(b"G")
            time.sleep(0.05)


def test_a_connection_between_two_requests_is_kept(port: int) -> None:
    with connected(port, REQUEST) as connection:
        assert answered(connection)
        time.sleep(2 * Impatient.head_timeout_s)
        connection.sendall(REQUEST)
        assert answered(connection)


def test_a_body_that_nobody_reads_is_given_up_after_the_response(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with connected(port, head) as connection:
        assert answered(connection)
        with pytest.raises(OSError):
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.05)


def test_a_new_connection_takes_the_place_of_the_one_that_has_waited_longest(port: int) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connected(port, REQUEST)) for _ in range(Impatient.limit)]
        assert all(answered(connection) for connection in held)
        with connected(port, REQUEST) as probe:
            assert answered(probe)
        assert closed(held[0])
        for connection in held[1:]:
            connection.sendall(REQUEST)
            assert answered(connection)
