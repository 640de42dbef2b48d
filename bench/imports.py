"""The import time of a Lambda handler by package, as `python -X importtime` reports it."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping

from local.checkout import ROOT

# Top-level packages of each group; every other module belongs to REST.
GROUPS = {
    "boto3": ("boto3", "botocore", "s3transfer", "urllib3", "jmespath", "dateutil", "six"),
    "Powertools": ("aws_lambda_powertools", "snapshot_restore_py"),
    "X-Ray": ("aws_xray_sdk", "wrapt"),
    "pydantic": ("pydantic", "pydantic_core", "typing_extensions", "annotated_types", "dotenv",
                 "typing_inspection"),
    "OpenVINO": ("openvino", "openvino_telemetry"),
    "numpy": ("numpy",),
    "OpenCV": ("cv2",),
    "Pillow": ("PIL",),
    "this project": ("detection", "lambda_function", "model_store", "serving"),
}  # fmt: skip
REST = "Python's standard library and awslambdaric"


def measure_imports(handler: str, env: Mapping[str, str], rounds: int) -> dict[str, float]:
    """Median import time of each group in milliseconds; the handler's background compilation slows some imports."""
    module = handler.rpartition(".")[0]
    command = [sys.executable, "-X", "importtime", "-c", f"import awslambdaric.bootstrap, {module}"]
    environment = {"PATH": os.environ["PATH"], **env}
    samples = []
    for _ in range(rounds):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        # The time of the handler's module includes its work at import time, which is not importing.
        samples.append(import_ms(done.stderr, without=(module, "lambda_function")))
    return {group: statistics.median(sample[group] for sample in samples) for group in (*GROUPS, REST)}


def import_ms(importtime: str, without: tuple[str, ...]) -> dict[str, float]:
    """Sum the self times in the output of `-X importtime`: milliseconds of each group, without some modules."""
    spent = dict.fromkeys((*GROUPS, REST), 0.0)
    for microseconds, module in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", importtime):
        if module not in without:
            top = module.partition(".")[0]
            spent[next((group for group, names in GROUPS.items() if top in names), REST)] += int(microseconds) / 1000
    return spent
