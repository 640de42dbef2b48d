"""Medians, quartiles, and the order of interleaved samples."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model_store.benchmark.sampling import Samples, interleaved

# Seconds, then the median and the quartiles in milliseconds, calculated by hand.
QUARTILES = [
    ((0.004, 0.001, 0.003, 0.002, 0.005), 3.0, (2.0, 4.0)),
    ((0.001, 0.002, 0.003, 0.01), 2.5, (1.75, 4.75)),
    ((0.002, 0.002), 2.0, (2.0, 2.0)),
]


@pytest.mark.parametrize(("seconds", "median_ms", "quartiles_ms"), QUARTILES)
def test_samples_give_median_and_quartiles_in_milliseconds(
    seconds: tuple[float, ...], median_ms: float, quartiles_ms: tuple[float, float]
) -> None:
    samples = Samples(seconds)
    assert samples.median_ms == pytest.approx(median_ms)
    assert samples.quartiles_ms == pytest.approx(quartiles_ms)


def test_samples_keep_the_order_of_the_rounds_in_json() -> None:
    assert Samples((0.0301234, 0.01, 0.02)).to_json() == {
        "median_ms": 20.0,
        "quartiles_ms": [15.0, 25.06],
        "samples_ms": [30.12, 10.0, 20.0],
    }


class Machine:
    """A clock in seconds, and candidates that let it run on and record their calls."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def candidate(self, name: str, *seconds: float) -> Callable[[], object]:
        """A candidate whose calls take these seconds, one after the other."""
        rest = list(seconds)

        def call() -> None:
            self.calls.append(name)
            self.now += rest.pop(0)

        return call


def test_interleaved_takes_one_sample_per_candidate_and_round_and_drops_the_first_round() -> None:
    machine = Machine()
    candidates = {"a": machine.candidate("a", 9, 1, 2), "b": machine.candidate("b", 8, 4, 3)}
    samples = interleaved(candidates, 2, clock=lambda: machine.now)
    assert samples == {"a": Samples((1.0, 2.0)), "b": Samples((4.0, 3.0))}
    assert machine.calls == ["a", "b", "a", "b", "a", "b"]


def test_interleaved_begins_no_round_when_its_time_has_passed_but_has_the_fewest_rounds() -> None:
    for seconds, rounds in ((1, 5), (100, 3)):
        machine = Machine()
        candidates = {"a": machine.candidate("a", 1000, *[seconds] * 10)}
        samples = interleaved(candidates, 10, clock=lambda m=machine: m.now, fewest=3, within_s=4)  # type: ignore[misc]
        assert samples == {"a": Samples((seconds,) * rounds)}
