"""Bytes to pixels, with the limits judged before decoding, and pixels to JPEG."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from detection.errors import NotAPicture, PictureTooLarge
from detection.headers import FORMATS, read_header
from detection.types import Picture


def decode(data: bytes, *, name: str, max_pixels: int) -> Picture:
    """Decode a picture to (H, W, 3) uint8 BGR, upright as its EXIF orientation says.

    Grey, 16-bit, CMYK and palette pictures are converted; transparency is laid over white; of an animation the first
    frame counts. Raises PictureTooLarge when the header promises more than `max_pixels`, NotAPicture when it is not a
    picture in one of FORMATS, or a broken one. `name` is for the messages.
    """
    header = read_header(data, name)
    if header.pixels > max_pixels:
        width, height = header.largest
        raise PictureTooLarge(
            f"{name} has {width} x {height} = {header.pixels / 1e6:.1f} megapixels; "
            f"the limit is {max_pixels / 1e6:g} (MAX_IMAGE_PIXELS): send a smaller picture"
        )
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
            upright = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, SyntaxError, EOFError):
        return None
    canvas = Image.new("RGBA", upright.size, "white")
    canvas.alpha_composite(upright)
    return np.asarray(canvas.convert("RGB"))[:, :, ::-1]


def encode_jpeg(picture: Picture, quality: int) -> bytes:
    """Encode (H, W, 3) uint8 BGR as JPEG; quality 1..100."""
    ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise RuntimeError(f"OpenCV could not encode a picture of shape {picture.shape}")
    return data.tobytes()
