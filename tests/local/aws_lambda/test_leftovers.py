from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.aws_lambda.cgroups import Cgroup
from local.aws_lambda.leftovers import clear_earlier, name_of
from local.aws_lambda.members import end_members, members
from tests.conftest import wait_for

SLEEP = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]


@pytest.fixture
def ended() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing."""
    with subprocess.Popen(SLEEP) as process:
        yield process
        process.kill()


def test_the_next_start_clears_what_a_dead_gateway_left_and_nothing_of_a_living_one(
    ended: int, sleeper: subprocess.Popen[bytes]
) -> None:
    living = Cgroup.create(name_of(os.getpid(), "test"), 2**28)
    dead = Cgroup.create(name_of(ended, "test"), 2**28)
    if living is None or dead is None:
        pytest.skip("no control groups can be used here")
    try:
        dead.add(sleeper.pid)
        clear_earlier(containers=False)
        assert wait_for(lambda: sleeper.poll() is not None)
        assert [any(folder.exists() for folder in group.folders) for group in (dead, living)] == [False, True]
    finally:
        living.remove()
        dead.remove()


def test_the_processes_of_a_folder_are_ended_and_no_others(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    env = dict(os.environ) | {"TMPDIR": str(tmp_path / "sandbox-7-1" / "tmp")}
    with subprocess.Popen(SLEEP, env=env, start_new_session=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert [member.pid for member in members(str(tmp_path / "sandbox-7-"))] == [process.pid]
        end_members(str(tmp_path / "sandbox-8-"))
        assert process.poll() is None
        end_members(str(tmp_path / "sandbox-7-"))
        assert process.wait(5) == -9
    assert sleeper.poll() is None
