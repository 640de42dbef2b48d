"""The pictures of the load tests: rendered, equal on every machine, and uploaded to a bucket once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from detection.types import Picture
from scenes.render import HELD_OUT_SEEDS, render_scene

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "loadtest/"
# For each kind: number of pictures, width, height, and approximate size in bytes.
KINDS = {
    "scenes": (20, 1280, 960, 250_000),
    "small": (3, 640, 480, 50_000),
    "medium": (3, 1600, 1200, 500_000),
    "large": (3, 4000, 3000, 5_000_000),
}


def keys(kind: str) -> list[str]:
    """The keys of the pictures of a kind in the input bucket."""
    return [f"{PREFIX}{kind}-{number:02d}.jpg" for number in range(1, KINDS[kind][0] + 1)]


def files(kind: str) -> Iterator[tuple[str, bytes]]:
    """Key and JPEG file of each picture of a kind, one at a time."""
    _, width, height, size = KINDS[kind]
    for seed, key in enumerate(keys(kind)):
        yield key, jpeg_near(_picture(seed, width, height), size)


def _picture(seed: int, width: int, height: int) -> Picture:
    """A rendered scene mixed with noise: the scene has objects, the noise makes the file as large as a photograph's."""
    scene = cv2.resize(render_scene(HELD_OUT_SEEDS[seed * len(KINDS)], 640).image, (width, height))
    noise = soft_noise(np.random.default_rng(seed), width, height)
    return np.asarray(cv2.addWeighted(scene, 0.5, noise, 0.5, 0), np.uint8)


def soft_noise(random: np.random.Generator, width: int, height: int) -> Picture:
    """Noise that survives JPEG compression: (height, width, 3) uint8."""
    noise = random.integers(0, 256, (height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 1.2)
    return np.asarray(cv2.normalize(soft, np.zeros_like(soft), 0, 255, cv2.NORM_MINMAX), np.uint8)


def jpeg_near(picture: Picture, size: int) -> bytes:
    """Encode a picture as JPEG with the quality that comes nearest to `size` bytes."""
    low, high = 10, 99
    while high - low > 1:  # The size grows with the quality.
        middle = (low + high) // 2
        low, high = (middle, high) if len(_jpeg(picture, middle)) <= size else (low, middle)
    return min((_jpeg(picture, quality) for quality in (low, high)), key=lambda data: abs(len(data) - size))


def _jpeg(picture: Picture, quality: int) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def upload(client: S3Client, bucket: str, kinds: tuple[str, ...]) -> list[str]:
    """Upload the missing pictures of some kinds to a bucket; returns the uploaded keys."""
    present = {
        entry["Key"]
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX)
        for entry in page.get("Contents", [])
    }
    uploaded = []
    for kind in kinds:
        if set(keys(kind)) <= present:
            continue
        for key, data in files(kind):
            client.put_object(Bucket=bucket, Key=key, Body=data, ContentType="image/jpeg")
            uploaded.append(key)
    return uploaded
