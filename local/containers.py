"""Running the image on this machine, as the platforms run it: read-only but for /tmp, not root, limited."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local.errors import StartError

CPUS = os.cpu_count() or 1


def container_engine() -> str:
    """docker or podman, whichever works, CONTAINER_ENGINE before both; raises StartError."""
    return _first_that_works(os.environ.get("CONTAINER_ENGINE"))


@functools.cache  # Asking an engine takes a tenth of a second, which would be part of every sandbox's start.
def _first_that_works(wanted: str | None) -> str:
    for name in [wanted] if wanted else ["docker", "podman"]:
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True).returncode == 0:
            return name
    raise StartError("no container engine works here: install and start docker or podman, or set CONTAINER_ENGINE")


def run_command(
    image: str,
    *,
    name: str,
    env: Sequence[str],
    memory_mb: int,
    cpus: float,
    mount: tuple[Path, str] | None = None,
    entrypoint: str | None = None,
) -> list[str]:
    """The command that runs an image in the foreground on the host's network, until it is stopped.

    `env` names what is passed on of the environment in which the command is started; `mount` is a file of this machine
    and its place in the container. A limit of more `cpus` than this machine has is none.
    """
    engine = container_engine()
    command = [engine, "run", *os.environ.get("CONTAINER_RUN_FLAGS", "").split(), "--rm", "--name", name]
    command += ["--network", "host", "--read-only", "--tmpfs", "/tmp", "--user", "1000:1000"]
    command += ["--ulimit", "nofile=1024:1024", "--cap-drop", "all", "--memory", f"{memory_mb}m"]
    command += ["--cpus", f"{cpus:.3f}"] if cpus < CPUS else []
    command += ["--volume", f"{mount[0]}:{mount[1]}:ro"] if mount else []
    command += ["--entrypoint", entrypoint] if entrypoint else []
    return [*command, *(f"--env={variable}" for variable in env), image]


def named(prefix: str) -> list[str]:
    """The names of all containers, stopped ones included, whose names begin with `prefix`."""
    command = [container_engine(), "ps", "--all", "--filter", f"name=^{prefix}", "--format", "{{.Names}}"]
    return subprocess.run(command, capture_output=True, text=True).stdout.split()


def remove(name: str) -> None:
    """End a container that may have outlived the command that ran it."""
    subprocess.run([container_engine(), "rm", "--force", name], capture_output=True)
