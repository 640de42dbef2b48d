"""Reads requests from their connections, and bounds the bytes that all uploads of a process hold."""

from __future__ import annotations

import anyio
from starlette.requests import ClientDisconnect, Request

from serving.accept import read_accept
from serving.bodies import Sent, check_size, read_call
from serving.bounds import Deadline
from serving.contract import MAX_BODY_BYTES, Call
from serving.errors import InvalidRequest, Overloaded

UPLOADS = 8  # Pictures of MAX_IMAGE_BYTES that all uploads of a process may hold together.


class UploadRoom:
    """The bytes that uploads hold, those included that are still being read. For one event loop."""

    def __init__(self) -> None:
        self.held = 0


class Held:
    """The bytes that one request holds in a room."""

    def __init__(self, room: UploadRoom, limit: int) -> None:
        self._room = room
        self._limit = limit
        self._size = 0

    def grow(self, size: int) -> None:
        """Hold so many bytes instead of fewer; raises Overloaded when the room has no more."""
        if self._room.held + size - self._size > self._limit:
            raise Overloaded(
                f"the uploads in work have {self._limit / 1e6:g} MB ({UPLOADS} times MAX_IMAGE_BYTES): try again later"
            )
        self._room.held += size - self._size
        self._size = size

    def free(self) -> None:
        """Give the bytes back."""
        self._room.held -= self._size
        self._size = 0


async def read_request(request: Request, ends: Deadline, held: Held, max_image_bytes: int) -> Call:
    """Read a request with its body; raises RequestError.

    A body that is too large is refused as soon as that is known, and not read to its end.
    """
    headers = request.headers
    accepted = read_accept(",".join(headers.getlist("accept")))
    content_type = ",".join(headers.getlist("content-type"))
    body = await _read_body(request, ends, held, content_type, max_image_bytes)
    sent = Sent(accepted, content_type, request.scope["query_string"].decode("latin-1"), body)
    return read_call(sent, max_image_bytes=max_image_bytes)


async def _read_body(request: Request, ends: Deadline, held: Held, content_type: str, max_image_bytes: int) -> bytes:
    announced = _announced(request)
    body = bytearray()
    try:
        with anyio.fail_after(ends.remaining_s()):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    check_size(max(len(body), announced), content_type, bytes(body[:16]), max_image_bytes)
                    held.grow(len(body))
    except TimeoutError:
        raise ends.exceeded("read the request's body") from None
    except ClientDisconnect:
        raise InvalidRequest("the client disconnected before the request's body was complete") from None
    return bytes(body)


def _announced(request: Request) -> int:
    """The length of the body that the head announces, 0 without one."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0
