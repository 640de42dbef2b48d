"""Statistics of response times: mean, percentiles and their bootstrap intervals.

Response times are whole milliseconds, so samples are stored as distinct values with their counts. A bootstrap resample
then draws the counts from a multinomial distribution; its cost depends on the number of distinct values only.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadtest.results.summary import PERCENTILES, Estimate, Latency, position

RESAMPLES = 1000
# More distinct values are rounded to three digits for the intervals, well below their width.
MOST_DISTINCT = 5000
_CHUNK = 50

Values = NDArray[np.float64]
Counts = NDArray[np.int64]


def latency(times_ms: pl.Series, seed: int = 0) -> Latency | None:
    """Mean, percentiles and maximum of response times, with 95% bootstrap intervals; None if there are none.

    The same seed gives the same resamples. The bootstrap assumes independent requests, which requests of one run are
    not: an interval covers chance within the run and is narrower than the difference between two runs.
    """
    if times_ms.is_empty():
        return None
    values, counts = _counted(times_ms)
    figures = {"mean": mean(values, counts[None, :]), **quantiles(values, counts[None, :])}
    rounded = times_ms.cast(pl.Float64).round_sig_figs(3) if len(values) > MOST_DISTINCT else times_ms
    resampled = _bootstrap(*_counted(rounded), seed)
    estimates = {
        name: Estimate(float(figure[0]), *(float(edge) for edge in np.quantile(resampled[name], (0.025, 0.975))))
        for name, figure in figures.items()
    }
    return Latency(count=int(counts.sum()), max=float(values[-1]), **estimates)


def percentile(times_ms: pl.Series, name: str) -> float | None:
    """One percentile of times, by the same method and without an interval; None if there are none."""
    if times_ms.is_empty():
        return None
    values, counts = _counted(times_ms)
    return float(quantiles(values, counts[None, :])[name][0])


def _counted(times_ms: pl.Series) -> tuple[Values, Counts]:
    """The (U,) distinct values, rising, and how often each occurs."""
    table = times_ms.alias("value").value_counts().sort("value")
    return table["value"].to_numpy().astype(np.float64), table["count"].to_numpy().astype(np.int64)


def mean(values: Values, counts: Counts) -> Values:
    """Means of samples given as (U,) distinct values and (R, U) counts: (R,)."""
    return np.asarray(counts @ values / counts.sum(axis=1), np.float64)


def quantiles(values: Values, counts: Counts) -> dict[str, Values]:
    """Percentiles of samples given as (U,) rising values and (R, U) counts with equal sums, each (R,).

    Values between two samples are interpolated linearly, as in JMeter's dashboard (see `position`).
    """
    cumulated = counts.cumsum(axis=1)
    total = int(cumulated[0, -1])
    found = {}
    for name, share in PERCENTILES.items():
        place = min(max(position(share, total), 1), total)
        low = values[(cumulated < math.floor(place)).sum(axis=1)]
        high = values[(cumulated < math.ceil(place)).sum(axis=1)]
        found[name] = low + (high - low) * (place - math.floor(place))
    return found


def _bootstrap(values: Values, counts: Counts, seed: int) -> dict[str, Values]:
    """The figures of RESAMPLES resamples, computed in chunks to save memory."""
    random = np.random.default_rng(seed)
    total = int(counts.sum())
    parts = []
    for _ in range(0, RESAMPLES, _CHUNK):
        drawn = random.multinomial(total, counts / total, size=_CHUNK)
        parts.append({"mean": mean(values, drawn), **quantiles(values, drawn)})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
