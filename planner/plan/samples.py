"""Measured requests by kind of picture, and what a simulation draws from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.errors import MeasuredError
from planner.types import Floats, Integers

MOST_KINDS = 10
DRAWN = 2000  # Requests among which a mix has its shares.


@dataclass(frozen=True)
class Kind:
    """The requests with one kind of picture, which are a `share` of all (0..1): arrays, seconds.

    Warm ones, `(N,)`: whole responses, their detection, and their billed time. Cold ones, `(M,)`: whole responses and
    their billed time; M may be 0.
    """

    picture: str
    share: float
    warm_s: Floats
    detect_s: Floats
    warm_billed_s: Floats
    cold_s: Floats
    cold_billed_s: Floats
    answer_bytes: float

    def scaled(self, warm: float, cold: float) -> Kind:
        """The same requests with times multiplied by these factors."""
        return replace(
            self, warm_s=self.warm_s * warm, detect_s=self.detect_s * warm, warm_billed_s=self.warm_billed_s * warm,
            cold_s=self.cold_s * cold, cold_billed_s=self.cold_billed_s * cold,
        )  # fmt: skip

    def restored(self, restore_s: float) -> Kind:
        """The same requests with a snapshot: a cold one takes its restore, which is not billed, and a warm request."""
        return replace(self, cold_s=self.warm_s + restore_s, cold_billed_s=self.warm_billed_s)


@dataclass(frozen=True)
class Drawn:
    """Samples, all equally likely: whole warm responses and their detection `(N,)`, cold responses `(M,)`, seconds.

    `warm_billed_s` and `cold_billed_s` are the means of the billed times.
    """

    warm_s: Floats
    detect_s: Floats
    cold_s: Floats
    warm_billed_s: float
    cold_billed_s: float


def draw(kinds: Sequence[Kind], random: np.random.Generator | None) -> Drawn:
    """The samples of all kinds in their shares; with a generator, the samples of each kind are resampled."""
    warm = [_chosen(kind.warm_s.size, random) for kind in kinds]
    cold = [_chosen(kind.cold_s.size, random) for kind in kinds]
    return Drawn(
        warm_s=_mixed(kinds, warm, lambda kind: kind.warm_s), detect_s=_mixed(kinds, warm, lambda kind: kind.detect_s),
        cold_s=_mixed(kinds, cold, lambda kind: kind.cold_s),
        warm_billed_s=_mean(kinds, warm, lambda kind: kind.warm_billed_s),
        cold_billed_s=_mean(kinds, cold, lambda kind: kind.cold_billed_s),
    )  # fmt: skip


def mean(kinds: Sequence[Kind], values: Callable[[Kind], Floats]) -> float:
    """The mean of a figure over all requests; NaN if a kind has none."""
    return sum(kind.share * float(values(kind).mean()) if values(kind).size else math.nan for kind in kinds)


def parse_mix(text: str) -> dict[str, float]:
    """Kinds of pictures with their shares (0..1), such as "large" or "small=70%,large=30%"; raises MeasuredError."""
    parts = text.split(",")
    if len(parts) > MOST_KINDS:
        raise MeasuredError(f"--picture has {len(parts)} kinds; the most is {MOST_KINDS}")
    if len(parts) == 1 and "=" not in text:
        return {text.strip(): 1.0}
    shares: dict[str, float] = {}
    for part in parts:
        picture, share = _part(part)
        if picture in shares:
            raise MeasuredError(f"--picture has {picture[:40]!r} twice: give each kind one share")
        shares[picture] = share
    total = sum(shares.values())
    if not math.isclose(total, 1, abs_tol=1e-9):
        raise MeasuredError(f"the shares of --picture add up to {100 * total:.10g}%, and must add up to 100%")
    return shares


def _part(part: str) -> tuple[str, float]:
    picture, _, share = (text.strip() for text in part.partition("="))
    try:
        percent = float(share.removesuffix("%")) if share.endswith("%") else math.nan
    except ValueError:
        percent = math.nan
    if not picture or not 0 < percent <= 100:
        shown = repr(part.strip()[:40])
        raise MeasuredError(f"{shown} is not a part of a mix of pictures: write e.g. small=70%,large=30%")
    return picture, percent / 100


def _chosen(size: int, random: np.random.Generator | None) -> Integers:
    return np.arange(size) if random is None or not size else random.integers(size, size=size)


def _mixed(kinds: Sequence[Kind], chosen: Sequence[Integers], values: Callable[[Kind], Floats]) -> Floats:
    """Samples of all kinds, each kind repeated until it has its share; those of one kind as they are."""
    if len(kinds) == 1:
        return values(kinds[0])[chosen[0]]
    ends = np.round(np.cumsum([kind.share for kind in kinds]) * DRAWN).astype(np.int64)
    counts = np.diff(ends, prepend=0)
    parts = [
        np.resize(values(kind)[one], count if one.size else 0)
        for kind, one, count in zip(kinds, chosen, counts.tolist(), strict=True)
    ]
    return np.concatenate(parts)


def _mean(kinds: Sequence[Kind], chosen: Sequence[Integers], values: Callable[[Kind], Floats]) -> float:
    return sum(
        kind.share * float(values(kind)[one].mean()) if one.size else math.nan
        for kind, one in zip(kinds, chosen, strict=True)
    )
