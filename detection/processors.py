"""How many processors this process may use: fewer than it sees where a control group or an affinity mask limits it.

OpenVINO counts the processors that it sees (https://github.com/openvinotoolkit/openvino/issues/37838). With more
threads than processors the threads of one inference wait for each other until the next period of the quota.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def threads(limit: float = math.inf, *, root: Path = CGROUPS, own: Path = OWN) -> int:
    """The number of threads for one inference: the processors that this process may use, rounded up, at least one.

    `limit` is another limit on the processors, e.g. that of a platform which does not show it in a control group.
    """
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # A quota such as 1.7 is spent faster by two threads than by one.
    return max(1, math.ceil(min(seen, limit, *quotas(root, own))))


def quotas(root: Path, own: Path) -> Iterator[float]:
    """The quotas of the control group of this process and of all groups around it, in processors."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        if not controllers:
            yield from filter(None, map(_quota_2, _around(root, path)))
        elif "cpu" in names:
            homes = [home for name in (controllers, "cpu") if (home := root / name).is_dir()]
            yield from filter(None, map(_quota_1, _around(homes[0], path) if homes else ()))


def _around(home: Path, path: str) -> Iterator[Path]:
    """The folder of a group and those of the groups around it; within a container its own group is the home."""
    folder = home / path.lstrip("/")
    while folder != home and home in folder.parents:
        yield folder
        folder = folder.parent
    yield home


def _quota_2(folder: Path) -> float | None:
    return _ratio(_read(folder / "cpu.max").split())


def _quota_1(folder: Path) -> float | None:
    return _ratio([_read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()])


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _ratio(parts: list[str]) -> float | None:
    """Quota over period; None without a quota, which is "max" or -1."""
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or int(parts[1]) == 0:
        return None
    return int(parts[0]) / int(parts[1])
