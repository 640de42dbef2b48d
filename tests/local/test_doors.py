"""`make serve` and `make lambda` as their users run them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.checkout import ROOT
from local.cli import SAMPLES
from local.processes import free_port
from scenes.render import LABELS, render_scene
from tests.conftest import send, wait_for
from tests.local.test_processes import exists

pytestmark = pytest.mark.slow


def command(data: Path, port: int, *more: str, door: str = "serve") -> list[str]:
    module = [sys.executable, "-m", "local"]
    return [*module, "--data", str(data), *more, door, "--port", str(port)]


def children(process_id: int) -> set[int]:
    """All descendants of a process."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(fields[1])
    found = {process_id}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {process_id}


def environment(home: str, **changes: str) -> dict[str, str]:
    return dict(os.environ) | {"BENTOML_HOME": home} | changes


@pytest.fixture
def home(tmp_path: Path) -> str:
    """An empty BentoML home: the model is put there by the command itself."""
    return str(tmp_path / "home")


DOORS = pytest.mark.parametrize("door", ["serve", "lambda"])


@DOORS
def test_once_shows_the_request_and_the_answer_and_leaves_nothing_running(door: str, tmp_path: Path, home: str) -> None:
    done = subprocess.run(
        command(tmp_path / "data", free_port(), "--once", door=door),
        env=environment(home), capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    curl, answer = re.search(r"^\$ (curl .*)\n(\{.*\})$", done.stdout, re.M).groups()  # type: ignore[union-attr]
    assert json.loads(curl.rpartition("-d '")[2].rstrip("'")) == {"filename": "scene-1.jpg"}
    wanted = sorted(LABELS[c] for c in render_scene(SAMPLES["scene-1.jpg"], 640).class_ids)
    assert sorted(d["label"] for d in json.loads(answer)["detections"]) == wanted
    assert (tmp_path / "data" / "annotated.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert str(tmp_path) not in subprocess.run(["ps", "axo", "args"], capture_output=True, text=True).stdout


@pytest.fixture(params=["serve", "lambda"])
def serving(request: pytest.FixtureRequest, tmp_path: Path, home: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A `make serve` or `make lambda` that goes on, and its port."""
    port = free_port()
    process = subprocess.Popen(
        command(tmp_path / "data", port, door=request.param),
        env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "Serving until Ctrl-C" in line:
            break
    yield process, port
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_goes_on_until_interrupted_and_leaves_no_process(
    number: signal.Signals, serving: tuple[subprocess.Popen[str], int]
) -> None:
    process, port = serving
    page = send(f"http://127.0.0.1:{port}/", method="GET").body.decode()
    for name in SAMPLES:
        assert send(f"http://127.0.0.1:{port}/predict", {"filename": name}).status == 200
        assert f"&quot;{name}&quot;" in page
    family = children(process.pid)
    assert len(family) >= 2
    process.send_signal(number)
    assert process.wait(20) == 0
    assert wait_for(lambda: not any(exists(member) for member in family))


@DOORS
def test_a_taken_port_is_one_clear_line(door: str, tmp_path: Path, home: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = subprocess.run(
            command(tmp_path, port, "--once", door=door),
            env=environment(home),
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"error: port {port} cannot be used (Address already in use): "
        f"stop what uses it, or choose another with make {door} PORT=...\n"
    )


@DOORS
def test_an_unknown_model_is_one_clear_line(door: str, tmp_path: Path, home: str) -> None:
    done = subprocess.run(
        command(tmp_path, free_port(), "--once", door=door),
        env=environment(home, MODEL="unknown"), capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 1
    start = "error: the service stopped with status 1: error: " if door == "serve" else "error: "
    assert done.stderr.startswith(f"{start}MODEL unknown is not in")
    assert done.stderr.count("\n") == 1
