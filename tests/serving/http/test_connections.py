from __future__ import annotations

import contextlib
import functools
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from serving.http.connections import GuardedProtocol
from serving.instance import Instance
from serving.respond import failure
from tests.conftest import wait_for

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Impatient(GuardedProtocol):
    """The protocol with limits that a test can wait for."""

    limit = 5
    head_timeout_s = 0.3
    linger_s = 0.3
    take_timeout_s = 0.3


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without reading a body, except for /body."""
    if scope["path"] == "/body":
        await receive()
    body = b"x" * 10_000_000 if scope["path"] == "/large" else b"ok"
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port() -> Iterator[int]:
    """A running server's port."""
    protocol: Any = functools.partial(Impatient, refuse=lambda cause, name: failure(cause, Instance(), name))
    config = uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, timeout_keep_alive=60)
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


@pytest.mark.parametrize("version", [b"HTTP/1.0\r\n", b"HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"])
def test_a_client_that_closes_gets_its_response_although_it_still_sends(version: bytes, port: int) -> None:
    """A connection that is closed with unread bytes is reset, and urllib, for one, then reports no response."""
    size = 30_000_000
    with connected(port, b"POST / " + version + b"Content-Length: %d\r\n\r\n" % size) as connection:
        connection.sendall(b"x" * size)
        assert answered(connection)
        assert closed(connection)


def test_a_client_that_closes_and_never_ends_its_body_is_given_up(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n"
    with connected(port, head) as connection:
        assert answered(connection)
        with pytest.raises(OSError):
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.05)


@pytest.mark.parametrize("sent", [b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /large HTTP/1.0\r\n\r\n"])
@pytest.mark.slow
def test_a_response_that_the_client_does_not_take_is_given_up(sent: bytes, port: int) -> None:
    with connected(port, sent) as connection:
        time.sleep(4 * Impatient.take_timeout_s)
        got = 0
        with contextlib.suppress(ConnectionResetError):
            while some := connection.recv(1 << 20):
                got += len(some)
        assert 0 < got < 10_000_000


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n",
    ],
)
def test_what_is_not_http_gets_an_error_of_the_contract(sent: bytes, port: int) -> None:
    with connected(port, sent) as connection:
        got = b""
        while some := connection.recv(65_536):
            got += some
    head, _, body = got.partition(b"\r\n\r\n")
    error = json.loads(body)["error"]
    assert head.startswith(b"HTTP/1.1 400 ")
    assert error["code"] == "invalid_request"
    assert f"X-Request-Id: {error['request_id']}".encode() in head


def test_a_body_that_is_not_http_after_its_response_ends_the_connection(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(port, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n") as connection:
        assert answered(connection)
        connection.sendall(b"no length\r\n")
        assert closed(connection)
    assert "Fatal" not in caplog.text
