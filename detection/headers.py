"""What a picture file announces, judged before any decoder allocates memory or loops for it.

Decoders trust lengths and counts in a file. Each limit here is far above what cameras and editors write.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from detection.errors import NotAPicture

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")

MAX_JPEG_SCANS = 100  # A progressive JPEG has about ten; every scan costs a pass over the whole picture.
MAX_JPEG_FILL_BYTES = 1024  # 0xFF bytes before a marker, each of them a step of a loop.
MAX_PNG_CHUNKS = 100_000
MAX_GIF_PREAMBLE = 1_000_000  # Bytes of comments and other extensions before the first frame.

# Pillow's own limit and warnings are not used: here it only reads headers, and the limit is a setting.
Image.MAX_IMAGE_PIXELS = None

_PNG = b"\x89PNG\r\n\x1a\n"
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_NOT_FILL = re.compile(rb"[^\xff]")


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


def read_header(data: bytes, name: str) -> Header:
    """Read a picture's header without decoding a pixel; `name` is for the message. Raises NotAPicture."""
    if not data:
        raise NotAPicture(f"{name} is empty; accepted are {', '.join(FORMATS)}")
    problem = _problem(data)
    if problem:
        raise NotAPicture(f"{name} {problem}: upload it again, or save it with another program")
    if size := _webp_size(data):
        # Pillow allocates a WebP's whole canvas when it opens the file.
        return Header(*size, "WEBP", _webp_is_transparent(data), size)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
            return Header(image.width, image.height, str(image.format), transparent, _largest(image))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError):
        raise NotAPicture(f"{name} is not a picture that can be read; accepted are {', '.join(FORMATS)}") from None


def _largest(image: Image.Image) -> tuple[int, int]:
    tags = getattr(image, "tag_v2", {})
    tile = int(tags.get(_TILE_WIDTH, 0)), int(tags.get(_TILE_LENGTH, 0))
    return max((image.width, image.height), tile, key=lambda sides: sides[0] * sides[1])


def _problem(data: bytes) -> str | None:
    """Why a decoder must not see the file, or None."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg_problem(data)
    if data.startswith(_PNG):
        return _png_problem(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _gif_problem(data)
    return None


def _jpeg_problem(data: bytes) -> str | None:
    # In the data of a scan, 0xFF is followed by 0x00 or a restart marker only, so this counts scans and thumbnails.
    if data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        return f"is a JPEG with more than {MAX_JPEG_SCANS} scans"
    if b"\xff" * MAX_JPEG_FILL_BYTES in data:
        return f"is a JPEG with more than {MAX_JPEG_FILL_BYTES} fill bytes in a row"
    # The decoder fills what is missing with grey, silently.
    return None if _jpeg_is_complete(data) else "is a JPEG that ends too early"


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether an end-of-image marker follows the first scan."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = _NOT_FILL.search(data, position)
        if marker is None:
            return False
        position = marker.end()
        if marker[0] == b"\xda":  # Start of scan; in its data 0xFF never precedes 0xD9.
            break
        position += int.from_bytes(data[position : position + 2], "big")
    return data.find(b"\xff\xd9", position) != -1


def _png_problem(data: bytes) -> str | None:
    """OpenCV allocates what a chunk's length says, whether the file has it or not."""
    position = len(_PNG)
    for _ in range(MAX_PNG_CHUNKS):
        if position + 8 > len(data):
            return None  # The decoder says what is missing.
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        if position > len(data):
            return "is a PNG with a chunk that is longer than the file"
    return f"is a PNG with more than {MAX_PNG_CHUNKS} chunks"


def _gif_problem(data: bytes) -> str | None:
    """Pillow's time for the comments before the first frame grows with the square of their length."""
    position = 13 + (3 << (data[10] & 7) + 1 if len(data) > 10 and data[10] & 0x80 else 0)
    while position + 2 < len(data) and data[position] == 0x21:  # An extension: label, then sub-blocks.
        position += 2
        while position < len(data) and data[position]:
            position += data[position] + 1
            if position > MAX_GIF_PREAMBLE:
                return f"is a GIF with more than {MAX_GIF_PREAMBLE} bytes before its first frame"
        position += 1
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a WebP file, or None when it is not one."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None


def _webp_is_transparent(data: bytes) -> bool:
    if data[12:16] == b"VP8X":
        return bool(data[20] & 0x10)
    return data[12:16] == b"VP8L" and bool(data[24] & 0x10)
