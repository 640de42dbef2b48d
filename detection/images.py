"""Bytes to pixels, with the limits judged before decoding, and pixels to JPEG."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from detection.errors import NotAPicture, PictureTooLarge
from detection.headers import FORMATS, Header, read_header
from detection.types import Picture

_ORIENTATION = 0x112  # EXIF
MAX_SIDE = 65_535  # pixels; the annotated picture is a JPEG, which cannot be larger


def judge(data: bytes, *, name: str, max_pixels: int) -> Header:
    """Read a picture's header and hold its size to the limits, before any memory is allocated for pixels.

    Raises PictureTooLarge, or NotAPicture when it is not a picture in one of FORMATS. `name` is for the messages.
    """
    header = read_header(data, name)
    width, height = header.largest
    if header.pixels > max_pixels:
        raise PictureTooLarge(
            f"{name} has {width} x {height} = {header.pixels / 1e6:.1f} megapixels; "
            f"the limit is {max_pixels / 1e6:g} (MAX_IMAGE_PIXELS): send a smaller picture"
        )
    if max(width, height) > MAX_SIDE:
        raise PictureTooLarge(
            f"{name} has {width} x {height} pixels; the limit is {MAX_SIDE} a side, as in every JPEG: "
            "send a smaller picture"
        )
    return header


def decode(data: bytes, header: Header, *, name: str) -> Picture:
    """Decode a picture to (H, W, 3) uint8 BGR, upright as its EXIF orientation says.

    Grey, 16-bit, CMYK and palette pictures are converted; transparency is laid over white; of an animation the first
    frame counts. Raises NotAPicture when the picture is broken. `header` is `judge`'s, `name` is for the message.
    """
    picture: NDArray[Any] | None
    try:
        if header.transparent:
            picture = _decode_over_white(data)
        else:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # OpenCV has limits of its own, for instance on one side of a picture.
        picture = None
    if picture is None:
        raise NotAPicture(f"{name} is a {header.kind} that cannot be decoded: upload it again, or as another format")
    return np.ascontiguousarray(picture, np.uint8)


def _decode_over_white(data: bytes) -> Picture | None:
    """Decode a picture with transparency over white; OpenCV would show the colours hidden under it."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            pixels = image.convert("RGBA")
            pixels.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    except (OSError, ValueError, SyntaxError, EOFError):
        return None
    ImageOps.exif_transpose(pixels, in_place=True)
    canvas = Image.new("RGB", pixels.size, "white")
    canvas.paste(pixels, mask=pixels)
    pixels.close()  # Each of these copies has 4 bytes per pixel.
    return np.asarray(canvas)[:, :, ::-1]


def encode_jpeg(picture: Picture, quality: int) -> bytes:
    """Encode (H, W, 3) uint8 BGR as JPEG; quality 1..100."""
    ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise RuntimeError(f"OpenCV could not encode a picture of shape {picture.shape}")
    return data.tobytes()
