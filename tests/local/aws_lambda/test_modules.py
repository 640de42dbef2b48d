from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.aws_lambda.cli import modules_of
from local.checkout import ROOT

IMPORTED = (
    "import sys, lambda_function; print(*(m.__file__ for m in sys.modules.values() if getattr(m, '__file__', 0)))"
)


@pytest.mark.slow
def test_all_that_a_sandbox_imports_of_ours_is_compiled_ahead() -> None:
    env = dict(os.environ) | {"MODEL_FOLDER": str(ROOT / "model_store" / "bundled")}
    env |= {"INPUT_BUCKET": "pictures", "OUTPUT_BUCKET": "results", "AWS_REGION": "eu-central-1"}
    env |= {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}  # Nothing listens there.
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    installed = Path(sys.prefix)
    files = {Path(file).resolve() for file in done.stdout.splitlines()[-1].split() if file.endswith(".py")}
    ours = {file for file in files if ROOT in file.parents and installed not in file.parents}
    assert ROOT / "serving" / "aws" / "function.py" in ours
    assert ours <= set(modules_of(ROOT))
