"""AWS's runtime interface emulator: the program that a sandbox is run by."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from local.errors import StartError

# See requirements/emulator.txt.
EMULATOR_HOME = Path(sys.prefix) / "emulator"


def emulator() -> Path:
    """AWS's runtime interface emulator, from the wheel of aws-sam-cli; raises StartError."""
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), "of another machine")
    binary = EMULATOR_HOME / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{machine}"
    if not binary.is_file():
        raise StartError(f"{binary} is missing: make lambda installs it, on Linux")
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary
