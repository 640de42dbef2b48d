"""Picture headers, and small files that would make a decoder allocate gigabytes or compute for minutes."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from deployment.smoke.cases import png_header
from detection.errors import NotAPicture, PictureTooLarge
from detection.headers import MAX_JPEG_FILL_BYTES, MAX_JPEG_SCANS, Header, read_header
from tests.conftest import decoded, smooth_picture

RGB = Image.fromarray(smooth_picture(64, 48))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff_with_a_tile(width: int, height: int) -> bytes:
    """A TIFF of 10 x 10 pixels with one tile of any size."""
    entries = (
        (256, 10),
        (257, 10),
        (258, 8),
        (259, 1),
        (262, 1),
        (277, 1),
        (322, width),
        (323, height),
        (324, 8),
        (325, 9),
    )
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + b"\0\0\0\0"


def webp(width: int, height: int) -> bytes:
    """A lossless WebP of 38 bytes whose header states any size."""
    bits = struct.pack("<I", (width - 1) | (height - 1) << 14 | 1 << 28)
    chunk = b"VP8L" + struct.pack("<I", 18) + b"\x2f" + bits + bytes(13)
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


PROGRESSIVE = saved(RGB, "JPEG", progressive=True)
LAST_SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2]
GIF = saved(RGB.convert("P"), "GIF")
GIF_START = 13 + (6 << (GIF[10] & 7))  # After the header and the palette.

BOMBS = {
    "a chunk of 4 GB in 57 bytes": (
        png_header(10, 10)[:33] + b"\xff\xff\xff\xd2IDAT" + bytes(16),
        "a PNG with a chunk that is longer than the file",
    ),
    "a PNG of a million chunks": (
        png_header(10, 10)[:33] + bytes(12) * 1_000_000, "a PNG with more than 100000 chunks",
    ),
    "a JPEG of 4000 scans": (
        PROGRESSIVE[:-2] + LAST_SCAN * 4000 + b"\xff\xd9", "a JPEG with more than 100 scans",
    ),
    "a JPEG with a megabyte of fill bytes": (
        PROGRESSIVE[:2] + b"\xff" * 10**6 + PROGRESSIVE[2:], "a JPEG with more than 1024 fill bytes in a row",
    ),
    "a GIF with 19 MB of comments": (
        GIF[:GIF_START] + b"\x21\xfe" + (b"\xff" + b"x" * 255) * 74_000 + b"\0" + GIF[GIF_START:],
        "a GIF with more than 1000000 bytes before its first frame",
    ),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_decompression_bomb_is_refused_before_decoding(bomb: str) -> None:
    data, reason = BOMBS[bomb]
    with pytest.raises(NotAPicture, match=f"x.jpg is {reason}: upload it again, or"):
        read_header(data, "x.jpg")


@pytest.mark.parametrize(
    ("data", "size"), [(tiff_with_a_tile(16_000, 16_000), "16000 x 16000"), (webp(16_383, 16_383), "16383 x 16383")]
)
def test_the_limit_applies_to_the_pixels_that_a_decoder_would_allocate(data: bytes, size: str) -> None:
    with pytest.raises(PictureTooLarge, match=f"x has {size}"):
        decoded(data, name="x", max_pixels=50_000_000)


@pytest.mark.parametrize("scans", [1, MAX_JPEG_SCANS - PROGRESSIVE.count(b"\xff\xda")])
def test_a_progressive_jpeg_below_the_limit_is_read(scans: int) -> None:
    data = PROGRESSIVE[:-2] + LAST_SCAN * scans + b"\xff\xd9"
    assert read_header(data, "x").kind == "JPEG"


def test_a_few_fill_bytes_before_a_marker_are_read() -> None:
    data = PROGRESSIVE[:2] + b"\xff" * (MAX_JPEG_FILL_BYTES - 2) + PROGRESSIVE[2:]
    assert decoded(data, name="x", max_pixels=10_000).shape == (48, 64, 3)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_header_of_a_webp_is_read_as_by_pillow(mode: str, options: dict[str, object]) -> None:
    image = RGB.convert("RGB")
    if mode == "RGBA":
        image.putalpha(Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))))
    data = saved(image, "WEBP", **options)
    with Image.open(io.BytesIO(data)) as opened:
        expected = (opened.width, opened.height, opened.mode == "RGBA")
    header = read_header(data, "x")
    assert (header.width, header.height, header.transparent) == expected


def test_a_gif_with_comments_is_read() -> None:
    data = saved(RGB.convert("P"), "GIF", comment=b"made by a camera" * 100)
    assert decoded(data, name="x", max_pixels=10_000).shape == (48, 64, 3)


NOISE = np.random.default_rng(3).integers(0, 256, 2_000_000, np.uint8).tobytes()
PNG = saved(RGB, "PNG")


def jpeg_segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


SURROUNDED = {
    "a phone's picture with its video": PROGRESSIVE + b"\xff" * 5000 + b"\xff\xda" * 5000 + NOISE,
    "a colour profile that looks like scans": PROGRESSIVE[:2]
    + jpeg_segment(0xE2, b"\xff\xda" * 30_000)
    + jpeg_segment(0xE2, b"\xff" * 60_000)
    + PROGRESSIVE[2:],
    "a png with bytes after its end": PNG + NOISE,
}


@pytest.mark.parametrize("case", SURROUNDED)
def test_bytes_that_decoders_ignore_do_not_count(case: str) -> None:
    assert decoded(SURROUNDED[case], name="x", max_pixels=10_000).shape == (48, 64, 3)


HIDDEN = {
    "a chunk of 4 GB after an IEND that precedes the pixels": (
        png_header(10, 10)[:33] + png_header(10, 10)[-12:] + b"\xff\xff\xff\xd2IDAT" + bytes(16),
        "not a picture that can be read; accepted are JPEG",
    ),
    "scans after a marker that decoders skip without its content": (
        PROGRESSIVE[:-2] + b"\xff\x05\x7f\xf0" + LAST_SCAN * 101 + b"\xff\xd9",
        "a JPEG with more than 100 scans",
    ),
    "many segments": (
        PROGRESSIVE[:2] + jpeg_segment(0xFE, b"") * 10_001 + PROGRESSIVE[2:],
        "a JPEG with more than 10000 segments",
    ),
    "a JPEG without a scan": (PROGRESSIVE[:2] + b"\xff\xd9", "a JPEG that ends too early"),
    "a JPEG without a frame": (PROGRESSIVE[:2] + LAST_SCAN + b"\xff\xd9", "not a picture that can be read"),
    "half a PNG": (PNG[:-100], "a PNG with a chunk that is longer than the file"),
    "a PNG without an end": (PNG[:-12], "a PNG that ends too early"),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_a_bomb_cannot_hide_behind_an_early_end(case: str) -> None:
    data, reason = HIDDEN[case]
    with pytest.raises(NotAPicture, match=f"x is {reason}"):
        read_header(data, "x")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("transparency", [None, 0])
def test_the_header_of_a_png_is_read_as_by_pillow(mode: str, transparency: int | None) -> None:
    image = Image.new(mode, (7, 5))
    options = {} if transparency is None or mode in ("LA", "RGBA", "RGB") else {"transparency": transparency}
    data = saved(image, "PNG", **options)
    with Image.open(io.BytesIO(data)) as opened:
        transparent = opened.mode in ("RGBA", "LA") or "transparency" in opened.info
        assert read_header(data, "x") == Header(*opened.size, "PNG", transparent, opened.size)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_the_header_of_a_jpeg_gives_its_size(mode: str, progressive: bool) -> None:
    data = saved(RGB.convert(mode), "JPEG", progressive=progressive, comment=b"x" * 1000)
    assert read_header(data, "x") == Header(64, 48, "JPEG", False, (64, 48))
