"""The recorded runs: one file per run with a line per request, and one file with a line per rate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planner.errors import DataError
from planner.types import Booleans, Floats, Integers

RUN = ("start_s", "cold", "instance", "client_ms", "handler_ms")
RATES = (
    "arrivals_per_s",
    "warm_ms",
    "cold_ms",
    "cold_probability",
    "cold_probability_standard_error",
    "mean_instances",
)
LARGEST = 100_000_000  # bytes of one file


@dataclass(frozen=True)
class Run:
    """The requests of one run, arrays `(N,)` in the order of their starts.

    `client_s` is the latency that the client measured, `handler_s` the time in the handler, which a cold start's
    initialization is not part of.
    """

    name: str
    start_s: Floats
    cold: Booleans
    instance: Integers
    client_s: Floats
    handler_s: Floats

    @property
    def network_s(self) -> float:
        """What the network and the front end add to a warm request: median of the client's less the handler's time."""
        return float(np.median((self.client_s - self.handler_s)[~self.cold]))

    def cold_since(self, since_s: float) -> int:
        """The number of cold starts from this time on."""
        return int((self.cold & (self.start_s >= since_s)).sum())


@dataclass(frozen=True)
class Rate:
    """Means of one run."""

    arrivals_per_s: float
    warm_s: float
    cold_s: float
    cold_probability: float
    standard_error: float
    mean_instances: float

    @property
    def name(self) -> str:
        """The rate, as runs are named."""
        return f"{self.arrivals_per_s:.5f}"


def read_runs(folder: Path) -> list[Run]:
    """All runs of the folder; raises DataError."""
    runs = []
    for file in sorted(folder.glob("rate-*.csv")):
        columns = _read(file, RUN)
        order = np.argsort(columns["start_s"], kind="stable")
        start, cold, instance, client_ms, handler_ms = (columns[name][order] for name in RUN)
        if len(start) < 2 or not 0 < cold.sum() < len(cold):
            raise DataError(f"{file}: a run needs two requests, a warm and a cold one")
        name = file.stem.removeprefix("rate-")
        runs.append(Run(name, start, cold == 1, instance.astype(np.int64), client_ms / 1000, handler_ms / 1000))
    return runs


def read_rates(folder: Path) -> list[Rate]:
    """All lines of rates.csv, none without this file; raises DataError."""
    if not (folder / "rates.csv").exists():
        return []
    columns = _read(folder / "rates.csv", RATES)
    return [
        Rate(rate, warm_ms / 1000, cold_ms / 1000, probability, error, instances)
        for rate, warm_ms, cold_ms, probability, error, instances in zip(
            *(columns[name].tolist() for name in RATES), strict=True
        )
    ]


def _read(file: Path, names: tuple[str, ...]) -> dict[str, Floats]:
    """Columns of a file by name; the file may have others."""
    try:
        if file.stat().st_size > LARGEST:
            raise DataError(f"{file} has more than {LARGEST:,} bytes")
        with file.open() as opened:
            heading = opened.readline().strip().split(",")
            missing = [name for name in names if name not in heading]
            if missing:
                raise DataError(f"{file} has no column {missing[0]}; its first line must name the columns")
            rows = np.loadtxt(opened, delimiter=",", ndmin=2, usecols=[heading.index(name) for name in names])
    except (OSError, UnicodeDecodeError, ValueError) as exc:
        raise DataError(f"{file} cannot be read: {exc}") from None
    if not len(rows) or not np.isfinite(rows).all() or rows.min() < 0:
        raise DataError(f"{file} must have lines of numbers, none of them negative")
    return {name: np.ascontiguousarray(column) for name, column in zip(names, rows.T, strict=True)}
