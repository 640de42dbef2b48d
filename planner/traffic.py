"""Traffic: when requests arrive, from a load profile or a trace, in chunks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtest.profiles import Profile, load_profile, names
from planner.errors import TrafficError
from planner.traces import MOST_PER_MINUTE, has_counts, read_counts, read_times
from planner.types import Floats, Integers

SCALES = (0.0001, 1000.0)
MOST_OF_PROFILE = 10_000_000  # requests; the times of a profile are made at once
TRACES = (".csv", ".txt")


@dataclass(frozen=True)
class Traffic:
    """Arrivals of a profile or of a trace. `scale` multiplies their number; `seed` makes the random part repeatable."""

    name: str
    source: Profile | Path
    seed: int = 1
    scale: float = 1

    length_s: float | None = None
    described: str = ""

    def chunks(self) -> Iterator[Floats]:
        """The arrivals in chunks, arrays `(N,)`, seconds from 0, which do not decrease; raises TrafficError.

        The same traffic gives the same chunks. A profile gives the times at which JMeter sends its requests.
        """
        random = np.random.default_rng(self.seed)
        if isinstance(self.source, Profile):
            yield _profile_times(self.source, self.scale)
        elif has_counts(self.source):
            yield from _spread(self.source, self.scale, random)
        elif self.scale == 1:
            yield from read_times(self.source)
        else:
            yield from _scaled(read_times(self.source), self.scale, random)


def load_traffic(name: str, *, seed: int = 1, scale: float = 1) -> Traffic:
    """A profile by its name or .yaml file, or a trace by its .csv or .txt file; raises TrafficError and ProfileError.

    A trace is only read by `Traffic.chunks`.
    """
    if not SCALES[0] <= scale <= SCALES[1]:
        raise TrafficError(f"the scale is {scale:g}, and must be from {SCALES[0]:g} to {SCALES[1]:g}")
    if seed < 0:
        raise TrafficError(f"the seed is {seed}, and must be from 0")
    if name.lower().endswith(TRACES):
        file = Path(name)
        if not file.is_file():
            raise TrafficError(f"there is no file {name}; a profile is one of {', '.join(names())}")
        return Traffic(file.stem, file, seed, scale)
    profile = load_profile(name, changes=[f"seed={seed}"])
    if not profile.open:
        raise TrafficError(
            f"profile {profile.name} sends a request when the last one is answered, so its arrivals are not known "
            "beforehand: take one with stages or at_minutes"
        )
    return Traffic(profile.name, profile, seed, scale)


def _profile_times(profile: Profile, scale: float) -> Floats:
    """All arrivals of an open profile. The rates of stages are scaled; single requests are repeated at their time."""
    if profile.stages:
        stages = tuple(stage.model_copy(update={"rate_per_s": stage.rate_per_s * scale}) for stage in profile.stages)
        profile = profile.model_copy(update={"stages": stages})
        expected = sum((end - begin) * rate for begin, end, rate in profile.stage_times())
        if expected > MOST_OF_PROFILE:
            raise TrafficError(
                f"profile {profile.name} has {expected:,.0f} requests; the most is {MOST_OF_PROFILE:,}: "
                "make it shorter, or its scale smaller"
            )
        return np.array(profile.arrivals_ms()) / 1000
    if scale != int(scale):
        raise TrafficError(
            f"profile {profile.name} has single requests: its scale must be a whole number, not {scale:g}"
        )
    return np.repeat(np.array(profile.arrivals_ms()) / 1000, int(scale))


def _spread(file: Path, scale: float, random: np.random.Generator) -> Iterator[Floats]:
    """Requests of each minute at uniform random times in it, as those of a Poisson process with this count are."""
    for minute, count in read_counts(file):
        number = _rounded(count * scale, random)
        if number > MOST_PER_MINUTE:
            raise TrafficError(
                f"{file}: {number:,} requests in a minute at scale {scale:g}; the most is {MOST_PER_MINUTE:,}"
            )
        if number:
            yield minute * 60 + np.sort(random.uniform(0, 60, number))


def _scaled(chunks: Iterator[Floats], scale: float, random: np.random.Generator) -> Iterator[Floats]:
    """Copies of each arrival at random times before the next one, so that bursts stay bursts; or fewer arrivals."""
    last_gap = 0.0
    for times, following in itertools.pairwise(itertools.chain(chunks, (np.empty(0),))):
        last_gap = float(times[-1] - times[-2]) if times.size > 1 else last_gap
        later = np.append(times[1:], following[0] if following.size else times[-1] + last_gap)
        whole = math.floor(scale)
        copies = whole + (random.random(times.size) < scale - whole)
        yield from _copies(times, later, copies, random)


def _copies(times: Floats, later: Floats, copies: Integers, random: np.random.Generator) -> Iterator[Floats]:
    """The first copy at the arrival's own time, others between it and the next; at most some ten million at once."""
    step = max(1, int(10_000_000 / max(copies.max(), 1)))
    for start in range(0, times.size, step):
        part = slice(start, start + step)
        found = np.repeat(times[part], copies[part])
        gaps = np.repeat((later - times)[part], copies[part])
        first = np.diff(found, prepend=-1.0) > 0
        found += np.where(first, 0, gaps * random.random(found.size))
        if found.size:
            yield np.sort(found)


def _rounded(value: float, random: np.random.Generator) -> int:
    """A whole number whose mean is the value."""
    return math.floor(value) + int(random.random() < value - math.floor(value))
