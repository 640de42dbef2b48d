"""What several tests of the deployment use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.modules import FOLDER, REQUIRED
from tests.deployment.terraform_program import Evaluation, evaluate


@pytest.fixture
def evaluated(tmp_path: Path) -> Callable[..., Evaluation]:
    """A function that evaluates a folder with the given variables, and the required ones where nothing is given."""

    def run(module: str, **values: Any) -> Evaluation:
        return evaluate(FOLDER / module, tmp_path, REQUIRED[module] | values)

    return run
