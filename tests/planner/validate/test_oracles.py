"""Other simulators, where they are installed: see requirements/oracles.txt."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from planner.errors import DataError
from planner.validate import oracles, simfaas


@pytest.mark.slow
@pytest.mark.skipif(oracles.DATA not in os.environ, reason=f"{oracles.DATA} does not name a folder of packages")
def test_simfaas_gives_our_answer_and_pacsltk_comes_near() -> None:
    found = oracles.compare()
    assert [one for one in found if one.exceeded] == []
    assert {one.predicted - one.expected for one in found if one.figure.endswith("cold starts")} == {0}


def test_a_folder_without_the_packages_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"^{tmp_path}: No module named 'nosim'; pip install --target {tmp_path} -r"):
        simfaas.load(tmp_path, "nosim")
