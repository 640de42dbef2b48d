"""The pictures of the load tests."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from loadtest.profiles import load_profile, names
from local.s3 import LocalS3
from scenes import pictures


@pytest.mark.parametrize(("kind", "size"), [("scenes", 250_000), ("small", 50_000), ("medium", 500_000)])
def test_a_picture_has_the_size_that_its_name_promises(kind: str, size: int) -> None:
    key, data = next(pictures.files(kind))
    assert key == f"loadtest/{kind}-01.jpg"
    assert len(data) == pytest.approx(size, rel=0.05)
    _, width, height, _ = pictures.KINDS[kind]
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and picture.shape == (height, width, 3)
    assert next(pictures.files(kind))[1] == data


def test_pictures_of_a_kind_differ() -> None:
    files = dict(pictures.files("small"))
    assert list(files) == pictures.keys("small")
    assert len(set(files.values())) == 3


def test_pictures_are_uploaded_once_and_other_objects_stay(s3: LocalS3) -> None:
    client = s3.client()
    client.create_bucket(Bucket="own-pictures")
    client.put_object(Bucket="own-pictures", Key="loadtest/mine.jpg", Body=b"mine")
    assert pictures.upload(client, "own-pictures", ("small",)) == pictures.keys("small")
    assert pictures.upload(client, "own-pictures", ("small",)) == []
    assert client.get_object(Bucket="own-pictures", Key="loadtest/mine.jpg")["Body"].read() == b"mine"
    assert len(client.list_objects_v2(Bucket="own-pictures")["Contents"]) == 4


def test_the_profiles_use_every_kind_of_picture_and_no_other() -> None:
    assert {kind for name in names() for kind in load_profile(name).pictures} == set(pictures.KINDS)
