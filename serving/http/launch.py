"""Starts `bentoml serve` without the ports that its supervisor listens on for commands.

BentoML supervises its workers by circus, and has it listen on two TCP ports of the loopback address. Circus runs any
command that a local user sends there, as the user of the service. Here circus can be reached from its own process only.
"""

from __future__ import annotations

import functools
import runpy
import sys
from typing import Any

from circus.arbiter import Arbiter  # type: ignore[import-untyped]

SERVICE = "service:YOLOv7"


def close_control_ports() -> None:
    """Give the sockets of circus addresses inside the process; to be called before BentoML starts circus."""
    original = Arbiter.__init__

    @functools.wraps(original)
    def start(self: Arbiter, *watchers: Any, **options: Any) -> None:
        if not options.get("plugins"):  # A plugin, such as the one of --reload, is a process that sends commands.
            options |= {"endpoint": "inproc://control", "pubsub_endpoint": "inproc://events"}
        original(self, *watchers, **options)

    Arbiter.__init__ = start


def main() -> None:
    """Run `bentoml serve` for the service of this folder; the arguments are its own."""
    close_control_ports()
    sys.argv[1:1] = ["serve", SERVICE]
    runpy.run_module("bentoml", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
