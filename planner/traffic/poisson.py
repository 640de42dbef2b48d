"""Arrivals of a Poisson process whose rate changes linearly or at once, by inversion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from planner.types import Floats

CHUNK = 250_000  # arrivals expected in a chunk; a chunk has at most about twice as many


def to_arrivals(segments: Iterable[Floats], scale: float, random: np.random.Generator) -> Iterator[Floats]:
    """Arrivals in chunks, arrays `(N,)`, seconds, which do not decrease.

    Segments are arrays `(M, 4)`: start and end, seconds, and the rates at both, per second; each begins where the one
    before ends.
    """
    for batch in segments:
        pieces = _cut(batch * (1, 1, scale, scale))
        groups = np.cumsum(_expected(pieces)) // CHUNK
        for group in np.split(pieces, np.flatnonzero(np.diff(groups)) + 1):
            times = _draw(group, random)
            if times.size:
                yield times


def to_mean(segments: Iterable[Floats], length_s: float) -> float:
    """The mean rate of segments, per second."""
    return sum(float(_expected(batch).sum()) for batch in segments) / length_s


def _expected(segments: Floats) -> Floats:
    starts, ends, begin, end = segments.T
    return np.asarray((ends - starts) * (begin + end) / 2)


def _cut(segments: Floats) -> Floats:
    """The same segments in pieces that expect at most a chunk each."""
    numbers = np.maximum(np.ceil(_expected(segments) / CHUNK), 1).astype(np.int64)
    if numbers.max(initial=1) == 1:
        return segments
    starts, ends, begin, end = np.repeat(segments, numbers, axis=0).T
    count = np.repeat(numbers, numbers)
    # The place of each piece in its segment: 0, 1, ...
    place = np.arange(count.size) - np.repeat(np.cumsum(numbers) - numbers, numbers)
    low, high = place / count, (place + 1) / count
    length, rise = ends - starts, end - begin
    # The end of a piece is computed as the start of the next one is, so that they are the same number.
    return np.stack(
        (starts + length * low, np.where(place + 1 == count, ends, starts + length * high),
         begin + rise * low, begin + rise * high), axis=1,
    )  # fmt: skip


def _draw(pieces: Floats, random: np.random.Generator) -> Floats:
    """The arrivals in some pieces: a Poisson number in each, at independent times with the density of the rate."""
    counts = random.poisson(_expected(pieces))
    uniform = 1 - random.random(int(counts.sum()))  # from 0, excluded, to 1
    if len(pieces) == 1:
        starts, ends, begin, end = pieces[0]
    else:
        starts, ends, begin, end = np.repeat(pieces, counts, axis=0).T
    if np.array_equal(pieces[:, 2], pieces[:, 3]):
        share = uniform
    else:
        # The inverse of the distribution, in a form that also holds for equal rates.
        share = uniform * (begin + end) / (begin + np.sqrt(begin**2 + (end**2 - begin**2) * uniform))
    times = np.minimum(starts + share * (ends - starts), ends)
    times.sort()
    return np.asarray(times)
