"""Limits of memory and CPU for a process tree, by Linux control groups, both versions."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000


@dataclass(frozen=True)
class Cgroup:
    """One control group; `folders` has one entry in version 2, and one per controller in version 1."""

    version: int
    memory: Path
    cpu: Path

    @classmethod
    def create(cls, name: str, memory_bytes: int, root: Path = ROOT) -> Cgroup | None:
        """Make a group with a memory limit, or None where this machine or this user may not have one."""
        group = cls._at(name, root)
        if group.version == 2:
            limits = {"memory.max": memory_bytes, "memory.swap.max": 0}
        else:
            limits = {"memory.limit_in_bytes": memory_bytes, "memory.swappiness": 0}
        try:
            if group.version == 2:
                (root / "cgroup.subtree_control").write_text("+memory +cpu")
            for folder in group.folders:
                folder.mkdir(parents=True)
            for file, value in limits.items():
                (group.memory / file).write_text(str(value))
        except OSError:
            group.remove()
            return None
        return group

    @classmethod
    def named(cls, prefix: str, root: Path = ROOT) -> list[Cgroup]:
        """All groups whose names begin with `prefix`."""
        folders = [
            folder for home in cls._at("", root).folders for folder in home.glob(f"{prefix}*") if folder.is_dir()
        ]
        return [cls._at(name, root) for name in sorted({folder.name for folder in folders})]

    @classmethod
    def _at(cls, name: str, root: Path) -> Cgroup:
        if (root / "cgroup.controllers").is_file():
            return cls(2, root / name, root / name)
        return cls(1, root / "memory" / name, root / "cpu" / name)

    @property
    def name(self) -> str:
        """The name it was created with."""
        return self.memory.name

    @property
    def folders(self) -> set[Path]:
        """Every folder of the group."""
        return {self.memory, self.cpu}

    def add(self, process_id: int) -> None:
        """Put a process into the group, and so all it will start."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(process_id))

    def limit_cpu(self, cpus: float) -> None:
        """Let the group use this many CPUs, fractions included."""
        quota = max(1000, round(cpus * PERIOD_US))
        if self.version == 2:
            (self.cpu / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        else:
            (self.cpu / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (self.cpu / "cpu.cfs_quota_us").write_text(str(quota))

    def peak_memory(self) -> int:
        """The most memory that the group has had so far, bytes."""
        names = ("memory.peak", "memory.current") if self.version == 2 else ("memory.max_usage_in_bytes",)
        file = next(self.memory / name for name in names if (self.memory / name).is_file())
        return int(file.read_text())

    def remove(self) -> None:
        """Kill the processes that are left in the group, and delete it; the kernel may take a moment."""
        for folder in self.folders:
            for _ in range(50):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
                with contextlib.suppress(OSError):
                    # A process of another namespace is shown as 0.
                    for process_id in filter(None, map(int, (folder / "cgroup.procs").read_text().split())):
                        os.kill(process_id, signal.SIGKILL)
                if not folder.exists():
                    break
                time.sleep(0.02)
