from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.targets import targets

TARGETS = targets()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # About files that are broken on purpose.
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_reads_good_and_bad_cases(name: str) -> None:
    target, random, outcomes = TARGETS[name], Random(1), set()
    for _ in range(400):
        try:
            target.read(target.make(random))
            outcomes.add("read")
        except target.expected:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}
