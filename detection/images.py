"""Pictures in and out: bytes to pixels, with the limits judged before decoding, and pixels to JPEG."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from detection.errors import NotAPicture, PictureTooLarge
from detection.types import Picture

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")

# Pillow refuses bombs with a limit and messages of its own; here it only reads headers, and the limit is a setting.
Image.MAX_IMAGE_PIXELS = None


def decode(data: bytes, *, name: str, max_pixels: int) -> Picture:
    """Decode a picture to (H, W, 3) uint8 BGR, upright as its EXIF orientation says.

    Grey, 16-bit, CMYK and palette pictures are converted; transparency is laid over white; of an animation the first
    frame counts. Raises PictureTooLarge when the header promises more than `max_pixels`, NotAPicture when it is no
    picture in one of FORMATS, or a broken one. `name` is for the messages.
    """
    width, height, kind, transparent = _read_header(data, name)
    if width * height > max_pixels:
        raise PictureTooLarge(
            f"{name} has {width} x {height} = {width * height / 1e6:.1f} megapixels; "
            f"the limit is {max_pixels / 1e6:g} (MAX_IMAGE_PIXELS): send a smaller picture"
        )
    if kind in ("JPEG", "MPO") and not _jpeg_is_complete(data):
        raise NotAPicture(f"{name} is a JPEG that ends too early: upload it again")
    try:
        picture = (
            _decode_over_white(data) if transparent else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        )
    except cv2.error:  # OpenCV has limits of its own, for instance on one side of a picture.
        picture = None
    if picture is None:
        raise NotAPicture(f"{name} is a {kind} that cannot be decoded: upload it again, or as another format")
    return np.ascontiguousarray(picture, np.uint8)


def _read_header(data: bytes, name: str) -> tuple[int, int, str, bool]:
    """Width, height, format and whether there is transparency, without decoding a pixel."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
            return image.width, image.height, str(image.format), transparent
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
        what = "is empty" if not data else "is not a picture that can be read"
        raise NotAPicture(f"{name} {what}; accepted are {', '.join(FORMATS)}") from None


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether an end-of-image marker follows the first scan: the decoder fills what is missing with grey, silently."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xFF:  # A fill byte before the marker.
            position += 1
            continue
        position += 2 + length
        if marker == 0xDA:  # Start of scan; in its data 0xFF never stands before 0xD9.
            break
    return data.find(b"\xff\xd9", position) != -1


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
