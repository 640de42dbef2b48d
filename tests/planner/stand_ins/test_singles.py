"""Reading runs of `single`: steps, pauses, and what is wrong with a run."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from planner.errors import DataError
from planner.stand_ins.singles import read_singles
from tests.loadtest.results.jtl import failed, record, sample, write_run
from tests.planner.stand_ins.runs import write_single


def test_a_run_is_split_into_steps_and_the_rest(tmp_path: Path) -> None:
    (found,) = read_singles([write_single(tmp_path)])
    steps = (0.0051, 0.0098, 0.0624, 0.0022, 0.009)
    assert [astuple(one) for one in found.firsts] == [pytest.approx((*steps, 0.9115))]
    assert [astuple(one) for one in found.others] == [pytest.approx((*steps, 0.0115))] * 19
    assert (found.model, found.cores, found.between_s) == ("m", 2, 0.005)


def test_other_profiles_are_left_out_and_runs_of_one_stand_in_are_put_together(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_single(tmp_path / name)
    write_single(tmp_path / "c", platform="ecs", settings={})
    write_run(tmp_path / "d", [sample(0, 100)], record("batches"))
    found = [(one.record.platform, len(one.firsts), len(one.others)) for one in read_singles([tmp_path])]
    assert found == [("lambda", 2, 38), ("ecs", 1, 19)]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"warm": 9}, "has 10 answers with all steps: more than 10 are needed, and the first one alone must be cold"),
    ({"first": {"cold": "false"}}, "has 20 answers with all steps: more than 10 are needed, and the first"),
    ({"machine": "many cores"}, "the run's machine is 'many cores', which does not begin with its cores"),
]


@pytest.mark.parametrize(("values", "message"), WRONG)
def test_a_run_that_cannot_be_used_is_refused(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    write_single(tmp_path / "run", **values)
    with pytest.raises(DataError, match=message):
        assert read_singles([tmp_path])[0].cores


def test_folders_without_runs_of_single_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not the folder of a run, nor a folder of such folders"):
        read_singles([tmp_path])
    write_run(tmp_path / "run", [failed(0, 1)], record("steady"))
    with pytest.raises(DataError, match="none of these runs has the profile single: run it first"):
        read_singles([tmp_path])
