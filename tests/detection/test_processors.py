"""The number of threads under affinity masks and quotas of control groups, both versions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detection.processors import threads
from local.aws_lambda.cgroups import Cgroup

SEEN = len(os.sched_getaffinity(0))


def group(root: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    for name, text in files.items():
        file = root / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "own").write_text(own)
    return root / "cgroup", root / "own"


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 16 processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "170000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/pod/task\n", {"pod/task/cpu.max": "max 100000", "pod/cpu.max": "400000 100000"}, 4),
        ("0::/pod/task\n", {"pod/task/cpu.max": "300000 100000", "pod/cpu.max": "400000 100000"}, 3),
        ("0::/elsewhere\n", {"cpu.max": "300000 100000"}, 3),
        ("4:cpu,cpuacct:/\n", {"cpu,cpuacct/cpu.cfs_quota_us": "200000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 2),
        ("1:cpu:/a\n0::/\n", {"cpu/a/cpu.cfs_quota_us": "150000", "cpu/a/cpu.cfs_period_us": "100000"}, 2),
        ("1:cpu:/a\n0::/\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, 16),
        ("2:memory:/a\n", {"memory/a/cpu.cfs_quota_us": "100000", "memory/a/cpu.cfs_period_us": "100000"}, 16),
        ("0::/\n", {"cpu.max": "nonsense"}, 16),
        ("0::/\n", {"cpu.max": "100000 0"}, 16),
        ("0::/../../..\n", {"cpu.max": "100000 100000"}, 1),
        ("", {}, 16),
    ],
)
def test_a_quota_limits_the_threads(tmp_path: Path, own: str, files: dict[str, str], expected: int) -> None:
    root, own_file = group(tmp_path, own, files)
    assert threads(root=root, own=own_file) == expected


@pytest.mark.usefixtures("many")
def test_the_smallest_limit_counts(tmp_path: Path) -> None:
    root, own = group(tmp_path, "0::/\n", {"cpu.max": "400000 100000"})
    assert threads(1.7, root=root, own=own) == 2
    assert threads(8, root=root, own=own) == 4
    assert threads(0.3, root=root, own=own) == 1


def test_without_control_groups_all_processors_are_used(tmp_path: Path) -> None:
    assert threads(root=tmp_path, own=tmp_path / "missing") == SEEN


def test_a_real_quota_is_found() -> None:
    made = Cgroup.create(f"test-threads-{os.getpid()}", 2**30)
    if made is None:
        pytest.skip("this user may not make control groups")
    try:
        made.limit_cpu(1)
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:  # The child enters the group, since a process cannot easily leave one.
            made.add(os.getpid())
            os.write(writer, str(threads()).encode())
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert os.read(reader, 10) == b"1"
    finally:
        made.remove()
