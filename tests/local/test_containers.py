"""Both doors as containers of the image: `make test-image`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.aws_lambda.leftovers import name_of
from local.containers import container_engine, named
from local.doors import LocalService
from local.s3 import LocalS3
from tests.conftest import IMAGE, door_of, predict, upload, wait_for
from tests.test_doors import PICTURE

pytestmark = pytest.mark.skipif(not IMAGE, reason="no image is named; make test-image builds one and names it")


@pytest.fixture
def door(s3: LocalS3, tmp_path: Path) -> Iterator[LocalService]:
    """A local Lambda of the image that has answered a request."""
    upload(s3, "container.jpg", PICTURE)
    with door_of("lambda_door", s3, tmp_path / "lambda.log", {}) as running:
        assert predict(running, {"filename": "container.jpg"}).status == 200
        yield running


def test_a_service_in_a_container_listens_on_this_machine_only(service: LocalService) -> None:
    port = int(service.url.rpartition(":")[2])
    listening = {c.laddr[:2] for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert {address for address in listening if port in address} == {("127.0.0.1", port)}


def containers(door: LocalService) -> list[str]:
    """The names of a door's containers."""
    return named(name_of(door.process_id, ""))


def test_a_request_is_not_given_to_a_container_that_died_while_idle(door: LocalService) -> None:
    [first] = containers(door)
    subprocess.run([container_engine(), "kill", "--signal", "KILL", first], capture_output=True, check=True)
    assert predict(door, {"filename": "container.jpg"}).status == 200
    assert first not in containers(door)


def test_a_killed_gateway_leaves_no_container(door: LocalService) -> None:
    assert len(containers(door)) == 1
    os.kill(door.process_id, 9)
    assert wait_for(lambda: not containers(door), 30)


def test_the_next_start_removes_the_containers_of_a_killed_gateway_and_keeper(
    door: LocalService, s3: LocalS3, tmp_path: Path
) -> None:
    for child in psutil.Process(door.process_id).children():
        child.kill()  # The keeper, and the engine's command.
    os.kill(door.process_id, 9)
    assert len(containers(door)) == 1
    with door_of("lambda_door", s3, tmp_path / "next.log", {}):
        assert containers(door) == []
