"""Figures of a simulation, collected chunk by chunk: percentiles, shares and slices of time, in bounded memory."""

from __future__ import annotations

import math

import numpy as np

from planner.plan.types import Slice
from planner.types import Booleans, Floats, Integers

# Latencies are counted in bins that grow by a factor, so that a percentile is exact to half of it.
SHORTEST_S, LONGEST_S = 1e-4, 1e5
FINE, COARSE = 1.005, 1.05
SLICES = 300


class Histogram:
    """Counts of latencies in `rows` rows of logarithmic bins."""

    def __init__(self, factor: float, rows: int = 1) -> None:
        self._factor = factor
        self._bins = math.ceil(math.log(LONGEST_S / SHORTEST_S) / math.log(factor)) + 1
        self.counts = np.zeros((rows, self._bins), np.int64)

    def add(self, latencies_s: Floats, rows: Integers | int = 0) -> None:
        """Count latencies, seconds, each in its row."""
        places = np.log(np.clip(latencies_s, SHORTEST_S, LONGEST_S) / SHORTEST_S) / math.log(self._factor)
        found = np.bincount((rows * self._bins + places.astype(np.int64)), minlength=self.counts.size)
        self.counts += found.reshape(self.counts.shape)

    def percentiles(self, share: float) -> list[float]:
        """The latency of each row that this share does not exceed, seconds; NaN without latencies."""
        cumulated = self.counts.cumsum(axis=1)
        totals = cumulated[:, -1]
        places = (cumulated < np.maximum(share * totals, 0.5)[:, None]).sum(axis=1)
        return [
            SHORTEST_S * self._factor ** (place + 0.5) if total else math.nan
            for place, total in zip(places.tolist(), totals.tolist(), strict=True)
        ]


class Collector:
    """What happened to all requests of a simulation of `length_s` seconds."""

    def __init__(self, length_s: float) -> None:
        self._width_s = length_s / SLICES
        self._all = Histogram(FINE)
        self._by_slice = Histogram(COARSE, SLICES)
        self._counts = np.zeros((3, SLICES), np.int64)  # requests, errors, cold starts
        self._instance_s = np.zeros(SLICES)

    def add(self, arrivals_s: Floats, latencies_s: Floats, failed: Booleans, cold: Booleans) -> None:
        """Count a chunk of requests, arrays `(N,)`; the latency of a failed one does not count."""
        places = self._places(arrivals_s)
        for row, chosen in enumerate((None, failed, cold & ~failed)):
            where = places if chosen is None else places[chosen]
            self._counts[row] += np.bincount(where, minlength=SLICES)
        answered = latencies_s[~failed]
        self._all.add(answered)
        self._by_slice.add(answered, places[~failed])

    def add_instances(self, starts_s: Floats, ends_s: Floats) -> None:
        """Count instances that were there from a start to an end, arrays `(M,)`, seconds."""
        edges = np.arange(SLICES + 1, dtype=np.float64) * self._width_s
        # The time before each edge, of all instances: the differences are the time in each slice.
        starts, ends = np.sort(starts_s), np.sort(ends_s)
        self._instance_s += np.diff(_time_before(edges, starts) - _time_before(edges, ends))

    def add_constant(self, instances: float) -> None:
        """Count instances that are always there."""
        self._instance_s += instances * self._width_s

    def add_steps(self, instances: Floats, step_s: float) -> None:
        """Count instances that are known for each step, an array `(K,)`; the last number holds until the end."""
        edges = np.arange(SLICES + 1, dtype=np.float64) * self._width_s
        levels = np.append(instances, instances[-1] if instances.size else 0.0)
        times = np.append(np.arange(instances.size + 1, dtype=np.float64) * step_s, edges[-1] + step_s)
        until = np.concatenate(([0.0], (levels * np.diff(times)).cumsum()))
        self._instance_s += np.diff(np.interp(edges, times, until))

    @property
    def requests(self) -> int:
        """The number of requests."""
        return int(self._counts[0].sum())

    @property
    def errors(self) -> float:
        """The share of requests that failed; NaN without requests."""
        return self._share(1, self.requests)

    @property
    def cold(self) -> float:
        """The share of cold starts in the answered requests; NaN without any."""
        return self._share(2, self.requests - int(self._counts[1].sum()))

    @property
    def instances(self) -> float:
        """The mean number of instances over time."""
        return float(self._instance_s.sum() / (SLICES * self._width_s))

    def percentile(self, share: float) -> float:
        """A percentile of the latencies of answered requests, seconds."""
        return self._all.percentiles(share)[0]

    def slices(self) -> list[Slice]:
        """The slices of time, all of the same length."""
        medians, tails = (self._by_slice.percentiles(share) for share in (0.5, 0.95))
        return [
            Slice(
                at_s=k * self._width_s, requests=int(requests), errors=int(errors), cold=int(cold),
                instances=float(self._instance_s[k] / self._width_s),
                p50_s=_known(medians[k]), p95_s=_known(tails[k]),
            )
            for k, (requests, errors, cold) in enumerate(self._counts.T)
        ]  # fmt: skip

    def _places(self, times_s: Floats) -> Integers:
        return np.minimum((times_s / self._width_s).astype(np.int64), SLICES - 1)

    def _share(self, row: int, of: int) -> float:
        return float(self._counts[row].sum() / of) if of else math.nan


def _time_before(edges: Floats, sorted_s: Floats) -> Floats:
    """For each edge the sum of edge - time over the times before it."""
    sums = np.concatenate(([0.0], sorted_s.cumsum()))
    count = np.searchsorted(sorted_s, edges)
    return count * edges - sums[count]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
