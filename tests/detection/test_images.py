"""Decoding pictures of every format to upright BGR, and refusing other files."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from deployment.smoke.cases import png_header
from detection.errors import NotAPicture, PictureTooLarge
from detection.images import encode_jpeg, judge
from tests.conftest import decoded, smooth_picture, to_jpeg

BGR = smooth_picture(120, 90)
RGB = Image.fromarray(np.ascontiguousarray(BGR[:, :, ::-1]))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


GREY16 = BGR[:, :, 1].astype(np.uint16) * 257

FILES = {
    "jpeg": (saved(RGB, "JPEG", quality=95), BGR, 4),
    "progressive jpeg": (saved(RGB, "JPEG", quality=95, progressive=True), BGR, 4),
    "cmyk jpeg": (saved(RGB.convert("CMYK"), "JPEG", quality=95), BGR, 4),
    "grey jpeg": (saved(RGB.convert("L"), "JPEG", quality=95), np.asarray(RGB.convert("L").convert("RGB")), 2),
    "png": (saved(RGB, "PNG"), BGR, 0),
    "16-bit grey png": (cv2.imencode(".png", GREY16)[1].tobytes(), np.repeat(BGR[:, :, 1:2], 3, 2), 1),
    "16-bit colour png": (cv2.imencode(".png", BGR.astype(np.uint16) * 257)[1].tobytes(), BGR, 1),
    "opaque png": (saved(RGB.convert("RGBA"), "PNG"), BGR, 0),
    "transparent png": (saved(Image.new("RGBA", (120, 90), (9, 9, 9, 0)), "PNG"), np.full_like(BGR, 255), 0),
    "webp": (saved(RGB, "WEBP", quality=95), BGR, 5),
    "bmp": (saved(RGB, "BMP"), BGR, 0),
    "tiff": (saved(RGB, "TIFF"), BGR, 0),
    "cmyk tiff": (saved(RGB.convert("CMYK"), "TIFF"), BGR, 1),
    "one bit": (saved(Image.new("1", (120, 90), 1), "PNG"), np.full_like(BGR, 255), 0),
}


@pytest.mark.parametrize("kind", FILES)
def test_decode_gives_upright_bgr(kind: str) -> None:
    data, expected, tolerance = FILES[kind]
    picture = decoded(data, name="x", max_pixels=10_800)
    assert picture.shape == expected.shape
    assert picture.dtype == np.uint8
    assert np.abs(picture.astype(int) - expected).mean() <= tolerance


def test_decode_blends_transparent_pixels_with_white() -> None:
    data = saved(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG")
    assert np.abs(decoded(data, name="x", max_pixels=16).astype(int) - 127).max() <= 1


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "PNG"])
def test_decode_turns_exif_rotated_pictures_upright(kind: str) -> None:
    exif = Image.Exif()
    exif[0x112] = 6  # The picture is shown rotated by 90 degrees clockwise.
    picture = decoded(saved(RGB, kind, exif=exif), name="x", max_pixels=10_800)
    assert picture.shape == (120, 90, 3)
    assert np.abs(picture.astype(int) - np.rot90(BGR, -1)).mean() < 6


def test_decode_turns_a_transparent_picture_upright() -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    assert decoded(saved(RGB.convert("RGBA"), "PNG", exif=exif), name="x", max_pixels=10_800).shape == (120, 90, 3)


def test_decode_refuses_too_many_pixels_without_decoding() -> None:
    with pytest.raises(PictureTooLarge, match=r"^bomb.png has 20000 x 20000 = 400.0 megapixels; the limit is 50 "):
        decoded(png_header(20_000, 20_000), name="bomb.png", max_pixels=50_000_000)


def test_decode_accepts_exactly_the_limit() -> None:
    assert decoded(saved(RGB, "PNG"), name="x", max_pixels=120 * 90).shape == (90, 120, 3)
    with pytest.raises(PictureTooLarge):
        decoded(saved(RGB, "PNG"), name="x", max_pixels=120 * 90 - 1)


BROKEN = {
    "text": b"this is not a picture",
    "a JPEG's first half": to_jpeg(BGR)[: len(to_jpeg(BGR)) // 2],
    "a progressive JPEG's first half": FILES["progressive jpeg"][0][:1500],
    "a JPEG's first bytes": to_jpeg(BGR)[:200],
    "a PNG's first half": FILES["png"][0][: len(FILES["png"][0]) // 2],
    "a TIFF's first half": FILES["tiff"][0][: len(FILES["tiff"][0]) // 2],
    "a WebP's first half": FILES["webp"][0][: len(FILES["webp"][0]) // 2],
    "half of a transparent PNG": FILES["opaque png"][0][: len(FILES["opaque png"][0]) // 2],
    "a script": b"GIF89a; <script>",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_decode_refuses_a_file_that_is_not_a_picture(kind: str) -> None:
    with pytest.raises(NotAPicture, match=r"^x\.jpg "):
        decoded(BROKEN[kind], name="x.jpg", max_pixels=2_000_000)


def test_decode_accepts_a_jpeg_with_bytes_after_its_end() -> None:
    assert decoded(to_jpeg(BGR) + b"appended by a camera", name="x", max_pixels=10_800).shape == BGR.shape


def test_encode_jpeg_round_trips() -> None:
    again = decoded(encode_jpeg(BGR, 95), name="x", max_pixels=10_800)
    assert np.abs(again.astype(int) - BGR).mean() < 4


def test_a_side_longer_than_a_jpeg_can_have_is_too_large() -> None:
    assert judge(png_header(65_535, 1), name="x", max_pixels=2_000_000).width == 65_535
    with pytest.raises(PictureTooLarge, match="x has 1 x 65536 pixels; the limit is 65535 a side"):
        judge(png_header(1, 65_536), name="x", max_pixels=2_000_000)
