"""A process that runs one model in one way, as its parent sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from model_store.benchmark.processor import InstructionSet
from model_store.errors import BenchmarkError


class Worker:
    """A worker process; `instructions` are the newest that it may use, all without it."""

    def __init__(
        self,
        folder: Path,
        *,
        hint: str | None = None,
        instructions: InstructionSet | None = None,
        static: bool = False,
        threads: int = 0,
    ) -> None:
        command = [sys.executable, "-m", "model_store.benchmark.worker", str(folder)]
        command += (["--hint", hint] if hint else []) + (["--static"] if static else [])
        command += ["--threads", str(threads)] if threads else []
        env = os.environ | ({"ONEDNN_MAX_CPU_ISA": instructions.onednn} if instructions else {})
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):  # It has ended, and the last request was not read.
            self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def infer(self, width: int, height: int) -> dict[str, float]:
        """Run one inference; returns its `seconds` and the process's `memory_mb`; raises BenchmarkError."""
        return self._ask({"size": [width, height]})

    def detections(self, files: Sequence[Path]) -> list[list[list[float]]]:
        """The detections of each picture: rows of class id, corners in pixels, and score; raises BenchmarkError."""
        found: list[list[list[float]]] = self._ask({"pictures": [str(file) for file in files]})["detections"]
        return found

    def facts(self) -> dict[str, str]:
        """The `precision` of the computation, and the `kernels` of most convolutions; raises BenchmarkError."""
        return self._ask({})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        line = ""
        with suppress(BrokenPipeError):  # It has ended.
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            status = self.process.wait(30)
            raise BenchmarkError(f"a process that runs the model ended with status {status}: is there enough memory?")
        response: dict[str, Any] = json.loads(line)
        if "error" in response:
            raise BenchmarkError(response["error"])
        return response
