"""Interleaved measuring: each round takes one sample of every candidate, so a noisy moment affects all of them."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Samples:
    """Seconds of each round."""

    seconds: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """Median, milliseconds."""
        return statistics.median(self.seconds) * 1000

    @property
    def quartiles_ms(self) -> tuple[float, float]:
        """First and third quartile, milliseconds."""
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return low * 1000, high * 1000

    def to_json(self) -> dict[str, object]:
        """Median, quartiles and all samples in milliseconds, for the JSON file."""
        low, high = self.quartiles_ms
        rounded = [round(s * 1000, 2) for s in self.seconds]
        return {
            "median_ms": round(self.median_ms, 2),
            "quartiles_ms": [round(low, 2), round(high, 2)],
            "samples_ms": rounded,
        }


def interleaved(
    candidates: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
    *,
    fewest: int = 0,
    within_s: float = math.inf,
) -> dict[str, Samples]:
    """Time each candidate once per round, after one round that does not count; `clock` gives seconds.

    When `within_s` seconds have passed after that round, no further round begins, but there are at least `fewest`.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    begun = clock()
    for number in range(rounds + 1):
        if number > fewest and clock() - begun > within_s:
            break
        for name, candidate in candidates.items():
            sys.stderr.write(f"\rround {number} of {rounds}: {name:<40}")
            sys.stderr.flush()
            start = clock()
            candidate()
            if number:
                seconds[name].append(clock() - start)
        if not number:
            begun = clock()
    sys.stderr.write("\r" + " " * 70 + "\r")
    return {name: Samples(tuple(values)) for name, values in seconds.items()}


def spread(samples: dict[str, Any], digits: int = 1) -> str:
    """The median with the quartiles in brackets, in milliseconds."""
    low, high = samples["quartiles_ms"]
    return f"{samples['median_ms']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
