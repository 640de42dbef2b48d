"""What happens when: a warm-up round, three equal rounds that are compared, and a last one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

WARM_UP_S = 300.0
ROUNDS = 3

Fault = Literal["", "slow S3", "dripping S3", "killed S3", "killed service"]


@dataclass(frozen=True)
class Step:
    """A level of load with a fault, for a time."""

    fault: Fault
    clients: int
    pause_s: float
    seconds: float

    @property
    def name(self) -> str:
        """What happens in it."""
        return self.fault or ("overload" if self.pause_s == 0 else "steady")


# Clients and pause of a step, and its share of a round.
ROUND: tuple[tuple[Fault, int, float, float], ...] = (
    ("", 4, 0.3, 0.3),
    ("", 24, 0.0, 0.2),
    ("slow S3", 6, 0.1, 0.15),
    ("dripping S3", 6, 0.1, 0.1),
    ("killed S3", 8, 0.1, 0.15),
    ("", 4, 0.3, 0.1),
)


def rounds(seconds: float) -> Iterator[tuple[str, list[Step]]]:
    """The rounds of a test of this length; the service is killed in the first and in the last one.

    A new process's memory grows until it has met every step, so only the rounds between are compared.
    """
    warm_up = min(WARM_UP_S, seconds / 6)
    last = seconds / 12
    yield "warm-up", [Step("killed service", 4, 0.3, warm_up / 4), *_round(warm_up * 3 / 4)]
    for number in range(1, ROUNDS + 1):
        yield f"round {number}", _round((seconds - warm_up - last) / ROUNDS)
    yield "last", [Step("killed service", 4, 0.3, last)]


def _round(seconds: float) -> list[Step]:
    return [Step(fault, clients, pause_s, seconds * share) for fault, clients, pause_s, share in ROUND]
