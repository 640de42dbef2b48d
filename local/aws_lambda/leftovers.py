"""Ends what a gateway leaves behind when it is killed: processes, control groups, containers and folders of sandboxes.

Everything that a gateway starts bears its process id, and its process namespace's, in its name. A keeper, a small
process beside the gateway, waits for the gateway's end and clears. If the keeper is killed as well, the next gateway
clears when it starts.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from local.aws_lambda.cgroups import Cgroup
from local.aws_lambda.members import end_members, is_running
from local.containers import named, remove


def name_of(gateway: int, part: object) -> str:
    """A name for a control group or a container of a gateway.

    Another container of this machine may have the same process ids, so the namespace is part of the name.
    """
    return f"{_prefix()}{gateway}-{part}"


def _prefix() -> str:
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        namespace = 0
    return f"yolov7-local-{namespace}-"


def clear(gateway: int, *, containers: bool) -> None:
    """End all that a gateway has started and that has one of its names."""
    if containers:
        for name in named(name_of(gateway, "")):
            remove(name)
    for group in Cgroup.named(name_of(gateway, "")):
        group.remove()


def clear_earlier(*, containers: bool) -> None:
    """Clear what gateways have left that do not run any more."""
    names = {group.name for group in Cgroup.named(_prefix())}
    names |= set(named(_prefix())) if containers else set()
    found = {int(match[1]) for name in names if (match := re.match(rf"{_prefix()}(\d+)-", name))}
    for gateway in found:
        if not is_running(gateway):
            clear(gateway, containers=containers)


@contextlib.contextmanager
def keeper(folder: Path, *, containers: bool) -> Iterator[None]:
    """Have this process's sandboxes in `folder` cleared when it ends, however it ends."""
    command = [sys.executable, "-m", __name__, str(os.getpid()), str(folder.resolve())]
    # In a session of its own: what ends the gateway's process group leaves it.
    with subprocess.Popen(
        [*command, *(["containers"] if containers else [])], stdin=subprocess.PIPE, start_new_session=True
    ):
        yield


def main() -> None:
    """Run the keeper: its standard input ends with the gateway."""
    gateway, folder, *containers = sys.argv[1:]
    sys.stdin.buffer.read()
    start = str(Path(folder) / sandbox_folder(int(gateway), ""))
    end_members(start)
    clear(int(gateway), containers=bool(containers))
    for sandbox in Path(folder).glob(sandbox_folder(int(gateway), "*")):
        shutil.rmtree(sandbox / "tmp", ignore_errors=True)


def sandbox_folder(gateway: int, number: object) -> str:
    """The name of a sandbox's folder, which begins in the same way for all of a gateway."""
    return f"sandbox-{gateway}-{number}"


if __name__ == "__main__":
    main()
