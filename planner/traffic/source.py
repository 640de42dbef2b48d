"""What all kinds of traffic have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from planner.types import Floats


class Source(Protocol):
    """Where arrivals come from: a profile, a shape, a trace or access logs."""

    @property
    def repeats(self) -> bool:
        """Whether the rates go on in the same way after the end."""

    @property
    def length_s(self) -> float:
        """The time that the traffic covers, seconds; a file is read for it unless it was read before."""

    def chunks(self, scale: float, random: np.random.Generator) -> Iterator[Floats]:
        """The arrivals in chunks, arrays `(N,)`, seconds from 0, which do not decrease; raises TrafficError."""

    def notes(self, scale: float) -> list[str]:
        """What a reader should know beside the number of requests, one sentence each; a file was read before."""


def read_all(source: Source) -> None:
    """Read a source to its end, without its arrivals."""
    for _ in source.chunks(1, np.random.default_rng(1)):
        pass
