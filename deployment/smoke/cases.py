"""Requests that every deployment refuses, with the status and code; none of them can write anything.

The contract suite sends the same to both doors.
"""

from __future__ import annotations

import struct
import zlib

NO_SUCH = "yolov7-smoke/no-such-picture.jpg"

# A request body, and the status and code of its response. Objects are sent as JSON.
REFUSED: dict[str, tuple[object, int, str]] = {
    "unknown key": ({"filename": NO_SUCH}, 404, "image_not_found"),
    "dots": ({"filename": "../x.jpg"}, 400, "invalid_request"),
    "control characters": ({"filename": "x\n.jpg"}, 400, "invalid_request"),
    "2000 characters": ({"filename": "x" * 2000}, 400, "invalid_request"),
    "unknown unicode key": ({"filename": f"写真{NO_SUCH}"}, 404, "image_not_found"),
    "confidence 7": ({"filename": NO_SUCH, "confidence": 7}, 400, "invalid_request"),
    "confidence NaN": (b'{"filename": "yolov7-smoke/x.jpg", "confidence": NaN}', 400, "invalid_request"),
    "confidence a string": ({"filename": NO_SUCH, "confidence": "high"}, 400, "invalid_request"),
    "unknown label": ({"filename": NO_SUCH, "classes": ["no such label"]}, 400, "invalid_request"),
    "unknown field": ({"filename": NO_SUCH, "size": 1}, 400, "invalid_request"),
    "not JSON": (b"filename=x.jpg", 415, "unsupported_media_type"),
    "no body": (b"", 415, "unsupported_media_type"),
    "a field twice": (b'{"filename": "yolov7-smoke/x.jpg", "filename": "y.jpg"}', 400, "invalid_request"),
    "UTF-16": ('{"filename": "x.jpg"}'.encode("utf-16"), 415, "unsupported_media_type"),
    "a huge body": (b'{"filename": "' + b"x" * 300_000 + b'"}', 400, "invalid_request"),
    "a list": (["x.jpg"], 400, "invalid_request"),
}


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header states any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


# An upload, its Accept, and the status and code of its response.
REFUSED_UPLOADS: dict[str, tuple[bytes, str, int, str]] = {
    "an empty upload": (b"", "application/json", 415, "not_an_image"),
    "HTML as a picture": (b"<!doctype html><title>x</title>", "application/json", 415, "not_an_image"),
    "a picture of 400 megapixels": (png_header(20_000, 20_000), "application/json", 413, "image_too_large"),
    "a picture as PNG": (png_header(2, 2), "image/png", 406, "not_acceptable"),
}
