"""What may import what: the serving path stays small, and `detection` free of its doors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imported(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has imported after a statement."""
    code = f"{statement}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import service", {"torch", "onnx", "onnxruntime", "pycocotools", "moto", "openvino_telemetry"}),
        ("import service; from detection.engine import OpenVINOEngine as E; E(__import__('pathlib').Path("
         "'model_store/bundled'))", {"torch", "onnx", "onnxruntime"}),
        ("import serving.predictor, detection.engine", {"torch", "bentoml", "starlette", "openvino_telemetry"}),
        ("import local.doors", {"torch", "onnxruntime"}),
        ("import model_store.cli", {"torch", "onnxruntime"}),
    ],
)  # fmt: skip
def test_what_is_not_needed_is_not_imported(statement: str, forbidden: set[str]) -> None:
    assert imported(statement) & forbidden == set()
