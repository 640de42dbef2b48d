"""What a picture file announces, judged before any decoder allocates memory or loops for it.

Decoders trust lengths and counts in a file. Each limit here is far above what cameras and editors write.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PIL import Image, UnidentifiedImageError

from detection.errors import NotAPicture

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")

MAX_JPEG_SCANS = 100  # A progressive JPEG has about ten; every scan costs a pass over the whole picture.
MAX_JPEG_FILL_BYTES = 1024  # 0xFF bytes before a marker, each of them a step of a loop.
MAX_JPEG_SEGMENTS = 10_000
MAX_PNG_CHUNKS = 100_000
MAX_GIF_PREAMBLE = 1_000_000  # Bytes of comments and other extensions before the first frame.

# Pillow's own limit and warnings are not used: here it only reads headers, and the limit is a setting.
Image.MAX_IMAGE_PIXELS = None

_TILE_WIDTH, _TILE_LENGTH = 322, 323

# In the data of a scan, 0xFF is followed by 0x00 or a restart marker (0xD0 to 0xD7) only.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # Start of frame; the others are tables.
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA


@dataclass(frozen=True)
class Header:
    """Size in pixels before the EXIF orientation is applied, format, and whether there is transparency.

    `largest` is the side lengths of what a decoder allocates at once: the picture, or a tile that is larger.
    """

    width: int
    height: int
    kind: str
    transparent: bool
    largest: tuple[int, int]

    @property
    def pixels(self) -> int:
        """The pixels that decoding allocates."""
        return self.largest[0] * self.largest[1]


class _Refused(Exception):
    """A decoder must not see the file; the text continues the sentence 'street.jpg ...'."""


def starts_like_a_picture(data: bytes) -> bool:
    """Whether the first bytes of a file are those of one of FORMATS; 12 bytes are enough."""
    return (
        data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"))
        or data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))  # TIFF
        or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        or (data[:2] == b"BM" and data[6:10] == bytes(4))
    )


def read_header(data: bytes, name: str) -> Header:
    """Read a picture's header without decoding a pixel; `name` is for the message. Raises NotAPicture."""
    if not data:
        raise NotAPicture(f"{name} is empty; accepted are {', '.join(FORMATS)}")
    try:
        header = _reader(data)(data)
    except _Refused as problem:
        raise NotAPicture(f"{name} {problem}: upload it again, or save it with another program") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError):
        header = None
    except (struct.error, OverflowError, ZeroDivisionError, RuntimeError):  # What Pillow raises for odd fields.
        header = None
    if header is None or not header.pixels:
        raise NotAPicture(f"{name} is not a picture that can be read; accepted are {', '.join(FORMATS)}")
    return header


def _reader(data: bytes) -> Callable[[bytes], Header | None]:
    """The function that reads this file's format.

    JPEG, PNG and WebP are read here, because they need limits that Pillow does not have: it allocates a WebP's whole
    canvas on opening.
    """
    if data.startswith(b"\xff\xd8"):
        return _jpeg_header
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png_header
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _gif_header
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_header
    return _pillow_header


def _jpeg_header(data: bytes) -> Header | None:
    """Walk the markers to the end of the image; what follows, for instance a phone's video, is ignored by decoders."""
    position, scans, width, height = 2, 0, 0, 0
    for _ in range(MAX_JPEG_SEGMENTS):
        found = _JPEG_MARKER.search(data, position)
        end = found.end() if found else len(data)
        if data.find(b"\xff" * (MAX_JPEG_FILL_BYTES + 1), position, end) != -1:
            raise _Refused(f"is a JPEG with more than {MAX_JPEG_FILL_BYTES} fill bytes in a row")
        if found is None or (data[end - 1] == _EOI and not scans):
            # The decoder fills what is missing with grey, silently.
            raise _Refused("is a JPEG that ends too early")
        marker, position = data[end - 1], end
        if marker == _EOI:
            return Header(width, height, "JPEG", transparent=False, largest=(width, height))
        if marker in _JPEG_FRAMES and not width:
            height, width = _number(data, position + 3, 2), _number(data, position + 5, 2)
        scans += marker == _SOS
        if scans > MAX_JPEG_SCANS:
            raise _Refused(f"is a JPEG with more than {MAX_JPEG_SCANS} scans")
        if marker >= 0xC0 and marker != _SOI:  # Decoders skip the other markers alone: they have no length.
            position += _number(data, position, 2)
    raise _Refused(f"is a JPEG with more than {MAX_JPEG_SEGMENTS} segments")


def _png_header(data: bytes) -> Header | None:
    """Walk the chunks to IEND. OpenCV allocates what a chunk's length says, whether the file has it or not."""
    position, kinds = 8, set()
    for _ in range(MAX_PNG_CHUNKS):
        if position + 12 > len(data):
            raise _Refused("is a PNG that ends too early")
        kind = data[position + 4 : position + 8]
        position += 12 + _number(data, position, 4)
        if position > len(data):
            raise _Refused("is a PNG with a chunk that is longer than the file")
        kinds.add(kind)
        if kind == b"IEND":
            break
    else:
        raise _Refused(f"is a PNG with more than {MAX_PNG_CHUNKS} chunks")
    if data[12:16] != b"IHDR" or b"IDAT" not in kinds:  # OpenCV reads on after an IEND that precedes the pixels.
        return None
    size = _number(data, 16, 4), _number(data, 20, 4)
    return Header(*size, "PNG", transparent=bool(data[25] & 4) or b"tRNS" in kinds, largest=size)


def _gif_header(data: bytes) -> Header | None:
    """Pillow's time for the comments before the first frame grows with the square of their length."""
    position = 13 + (3 << (data[10] & 7) + 1 if len(data) > 10 and data[10] & 0x80 else 0)
    while position + 2 < len(data) and data[position] == 0x21:  # An extension: label, then sub-blocks.
        position += 2
        while position < len(data) and data[position]:
            position += data[position] + 1
            if position > MAX_GIF_PREAMBLE:
                raise _Refused(f"is a GIF with more than {MAX_GIF_PREAMBLE} bytes before its first frame")
        position += 1
    return _pillow_header(data)


def _webp_header(data: bytes) -> Header | None:
    kind, flags = data[12:16], 0
    if kind == b"VP8X":
        size, flags = (1 + _number(data, 24, 3, "little"), 1 + _number(data, 27, 3, "little")), data[20] & 0x10
    elif kind == b"VP8L" and data[20] == 0x2F:
        bits = _number(data, 21, 4, "little")
        size, flags = (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)), bits & 1 << 28
    elif kind == b"VP8 ":
        size = _number(data, 26, 2, "little") & 0x3FFF, _number(data, 28, 2, "little") & 0x3FFF
    else:
        return None
    return Header(*size, "WEBP", transparent=bool(flags), largest=size)


def _pillow_header(data: bytes) -> Header | None:
    with Image.open(io.BytesIO(data), formats=("BMP", "TIFF", "GIF")) as image:
        transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
        tags = getattr(image, "tag_v2", {})
        tile = int(tags.get(_TILE_WIDTH, 0)), int(tags.get(_TILE_LENGTH, 0))
        largest = max(image.size, tile, key=lambda sides: sides[0] * sides[1])
        return Header(*image.size, str(image.format), transparent, largest)


def _number(data: bytes, position: int, length: int, order: Literal["big", "little"] = "big") -> int:
    return int.from_bytes(data[position : position + length], order)
