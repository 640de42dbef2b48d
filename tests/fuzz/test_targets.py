"""The readers of untrusted input, with a few hundred of the mutations of `make fuzz`."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.targets import targets

TARGETS = targets()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns about damaged files.
@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.slow
def test_a_reader_accepts_or_refuses_mutated_input_and_never_fails_otherwise(name: str) -> None:
    target, random, outcomes = TARGETS[name], Random(1), set()
    for _ in range(400):
        try:
            target.read(target.make(random))
            outcomes.add("read")
        except target.expected:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}  # Both, or the mutations would test nothing.
