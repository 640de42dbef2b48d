"""Run the image on this machine as the platforms do: only /tmp is writable, not as root, with limits."""

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
    """CONTAINER_ENGINE if it is set, otherwise docker or podman, whichever works; raises StartError."""
    return _first_that_works(os.environ.get("CONTAINER_ENGINE"))


@functools.cache  # This takes a tenth of a second, which would add to the start of every sandbox.
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
    """The command that runs an image in the foreground on the host's network.

    `env` names the variables that the container receives from the environment of the command. `mount` is a file of this
    machine and its path in the container. `cpus` sets no limit if this machine has no more.
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
    """Remove a container that may still run after its command has ended."""
    subprocess.run([container_engine(), "rm", "--force", name], capture_output=True)
