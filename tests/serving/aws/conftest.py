"""The function with a fake engine and storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes import FakeStorage
from tests.serving.aws.test_events import PICTURE, answering


@pytest.fixture
def storage() -> FakeStorage:
    names = ("scene-1.jpg", "scene-2.jpg", "scene-3.jpg", "scene-4.jpg", "my pictureé.jpg")
    return FakeStorage(dict.fromkeys(names, PICTURE))


@pytest.fixture
def answer(storage: FakeStorage) -> Iterator[Any]:
    """Answers an event as lambda_function.handler does."""
    yield from answering(storage)
