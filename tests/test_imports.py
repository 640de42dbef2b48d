"""Allowed imports: a room imports only the rooms below it, and serving imports few libraries."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.checkout import ROOT

# Each room or top-level file, and the rooms that it may import. A room with a dot is a folder in another one.
ROOMS = {
    "detection": set(),
    "serving": {"detection"},
    "serving.worker": {"detection", "serving", "model_store"},
    "scenes": {"detection"},
    "model_store": {"detection", "scenes"},
    "service": {"detection", "serving", "model_store"},
    "lambda_function": {"detection", "serving", "model_store"},
    "local": {"detection", "serving", "model_store", "scenes"},
    "loadtest": {"detection", "serving", "model_store", "scenes", "local"},
    "backfill": {"detection", "serving", "loadtest"},
    "planner": {"detection", "serving", "model_store", "local", "loadtest"},
    "bench": {"detection", "serving", "model_store", "scenes", "local", "loadtest", "planner", "backfill"},
    "deployment": {"detection", "serving", "model_store", "scenes", "local", "loadtest"},
}  # fmt: skip


def files(room: str) -> list[Path]:
    """The Python files of a room, without those of a room in it."""
    folder = ROOT / room.replace(".", "/")
    inner = [ROOT / other.replace(".", "/") for other in ROOMS if other.startswith(f"{room}.")]
    found = [file for file in folder.rglob("*.py") if not any(file.is_relative_to(other) for other in inner)]
    return sorted(found) or [ROOT / f"{room}.py"]


def room_of(module: str) -> str:
    """The room of a module, by its full name; the top-level name of a module of no room."""
    inner = [room for room in ROOMS if "." in room and f"{module}.".startswith(f"{room}.")]
    return inner[0] if inner else module.partition(".")[0]


def imports(file: Path) -> set[str]:
    """The full names of all modules that a file imports, at any place in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def outside(room: str) -> dict[str, set[str]]:
    """The libraries that a room imports, each with the importing files."""
    found: dict[str, set[str]] = {}
    for file in files(room):
        for name in {room_of(module) for module in imports(file)} - set(ROOMS):
            found.setdefault(name, set()).add(str(file.relative_to(ROOT)))
    return found


def test_every_room_is_listed() -> None:
    there = {
        file.relative_to(ROOT).parts[0] for file in ROOT.glob("*/**/*.py") if file.relative_to(ROOT).parts[0][0] != "."
    }
    assert there - {"tests"} | {file.stem for file in ROOT.glob("*.py")} == {room for room in ROOMS if "." not in room}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    known = {str(file.relative_to(ROOT)): {room_of(m) for m in imports(file)} for file in files(room)}
    wrong = {file: names for file, found in known.items() if (names := (found & set(ROOMS)) - ROOMS[room] - {room})}
    assert wrong == {}


def test_detection_imports_neither_bentoml_nor_torch_nor_aws_libraries() -> None:
    assert set(outside("detection")) & {"bentoml", "torch", "boto3", "botocore", "aws_lambda_powertools"} == set()


def test_each_library_of_serving_is_imported_in_its_place_only() -> None:
    found = outside("serving") | {
        "bentoml": outside("serving").get("bentoml", set()) | outside("model_store")["bentoml"]
    }
    assert found["bentoml"] == {"serving/http/openapi.py", "serving/http/server.py", "model_store/store.py"}
    assert {file.split("/")[1] for file in found["aws_lambda_powertools"]} == {"aws"}
    assert found["boto3"] == found["botocore"] == {"serving/storage.py"}
    worker = outside("serving.worker")
    assert worker["boto3"] == worker["botocore"] == {"serving/worker/queue.py"}
    assert not {"bentoml", "aws_lambda_powertools"} & set(worker)


def test_bentomls_internals_are_not_used() -> None:
    used = {
        str(f.relative_to(ROOT))
        for room in ROOMS
        for f in files(room)
        if any(m.startswith(("bentoml._internal", "_bentoml")) for m in imports(f))
    }
    assert used == set()


def imported(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has imported after a statement."""
    code = f"{statement}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import service", {"torch", "onnx", "onnxruntime", "pycocotools", "moto", "openvino_telemetry"}),
        ("import service; from detection.openvino import OpenVINOEngine as E; E(__import__('pathlib').Path("
         "'model_store/bundled'))", {"torch", "onnx", "onnxruntime"}),
        ("import serving.predictor, detection.openvino", {"torch", "bentoml", "starlette", "openvino_telemetry"}),
        ("import serving.aws.http_events, serving.aws.queue_events, serving.aws.batch_events",
         {"bentoml", "aws_xray_sdk", "starlette"}),
        ("import serving.worker.__main__", {"torch", "bentoml", "aws_lambda_powertools", "openvino_telemetry"}),
        ("import local.cli", {"torch", "onnxruntime"}),
        ("import model_store.cli", {"torch", "onnxruntime"}),
    ],
)  # fmt: skip
def test_a_module_does_not_import_heavy_libraries(statement: str, forbidden: set[str]) -> None:
    assert imported(statement) & forbidden == set()


@pytest.mark.slow
def test_the_lambda_function_imports_few_modules() -> None:
    """Each module costs a cold start half a millisecond; an HTTP event needs some more."""
    environment = {"MODEL_FOLDER": str(ROOT / "model_store" / "bundled"), "AWS_LAMBDA_FUNCTION_NAME": "yolov7"}
    environment |= {"INPUT_BUCKET": "in-bucket", "OUTPUT_BUCKET": "out-bucket", "AWS_REGION": "eu-central-1"}
    environment |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    code = "import awslambdaric.bootstrap, lambda_function, sys; print(len(sys.modules), 'asyncio' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    count, has_asyncio = done.stdout.splitlines()[-1].split()
    assert int(count) <= 820
    assert has_asyncio == "False"
