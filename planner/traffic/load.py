"""Traffic by the name of a profile or a shape, or by its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtest import profiles as load_profiles
from planner.errors import TrafficError
from planner.traffic import log_files, logs, profiles, shape_files, traces
from planner.traffic.source import Source
from planner.types import Floats

SCALES = (0.0001, 1000.0)
YAML = (".yaml", ".yml")
TRACES = (".csv", ".txt", ".csv.gz", ".txt.gz")
FILES = (".csv", ".txt", *log_files.SUFFIXES)


@dataclass(frozen=True)
class Traffic:
    """Arrivals of a source. `scale` multiplies their number; `seed` makes the random part repeatable."""

    name: str
    source: Source
    seed: int = 1
    scale: float = 1

    @property
    def length_s(self) -> float:
        """The time that the traffic covers, seconds, also beyond its last arrival.

        A trace or log tells it only at its end: it is read for it, unless `chunks` has come to its end before. It is 0
        if all requests of a trace come at one moment. Raises TrafficError.
        """
        return self.source.length_s

    @property
    def repeats(self) -> bool:
        """Whether the traffic is made to go on in the same way after `length_s`; nobody knows that of a recording."""
        return self.source.repeats

    @property
    def notes(self) -> list[str]:
        """What the traffic is, its rates if they are given, and what was left out of logs; read `chunks` before."""
        return self.source.notes(self.scale)

    def chunks(self) -> Iterator[Floats]:
        """The arrivals in chunks, arrays `(N,)`, seconds from 0, which do not decrease; raises TrafficError.

        The same traffic gives the same chunks. A profile gives the times at which JMeter sends its requests.
        """
        yield from self.source.chunks(self.scale, np.random.default_rng(self.seed))


def load_traffic(*names: str, seed: int = 1, scale: float = 1) -> Traffic:
    """A profile or a shape by its name or .yaml file, a trace, or access logs: files, or a folder of them.

    Of traces and logs only the first lines are read; `Traffic.chunks` reads the rest. Raises TrafficError and
    ProfileError.
    """
    if not SCALES[0] <= scale <= SCALES[1]:
        raise TrafficError(f"the scale is {scale:g}, and must be from {SCALES[0]:g} to {SCALES[1]:g}")
    if seed < 0:
        raise TrafficError(f"the seed is {seed}, and must be from 0")
    if not names:
        raise TrafficError("no traffic is named")
    name, source = _find(names[0], seed) if len(names) == 1 else _find_logs(names)
    return Traffic(name, source, seed, scale)


def _find(name: str, seed: int) -> tuple[str, Source]:
    path = Path(name)
    if name in shape_files.names():
        return name, shape_files.to_source(shape_files.FOLDER / f"{name}.yaml")
    if path.suffix in YAML and shape_files.is_shape(path):
        return path.stem, shape_files.to_source(path)
    if path.suffix in YAML or name in load_profiles.names():
        return path.stem, profiles.to_source(name, seed)
    if path.is_dir():
        return _find_logs((name,))
    if path.is_file():
        is_trace = name.lower().endswith(TRACES) and log_files.find(path) is None
        return (_stem(path), traces.to_source(path)) if is_trace else _find_logs((name,))
    what = "file" if path.suffix.lower() in FILES or path.name != name else "profile"
    raise TrafficError(
        f"there is no {what} {name}; a profile is one of {', '.join(load_profiles.names())}, a shape one of "
        f"{', '.join(shape_files.names())}"
    )


def _find_logs(names: tuple[str, ...]) -> tuple[str, Source]:
    paths = [Path(name) for name in names]
    name = paths[0].resolve().name if paths[0].is_dir() else _stem(paths[0])
    return name, logs.to_source(paths)


def _stem(file: Path) -> str:
    """The name of a file without endings such as .log.gz."""
    while file.suffix.lower() in FILES:
        file = file.with_suffix("")
    return file.name
