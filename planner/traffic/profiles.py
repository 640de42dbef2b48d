"""Traffic of a load profile: the times at which JMeter sends its requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loadtest.profiles import Profile, load_profile
from planner.errors import TrafficError
from planner.types import Floats

MOST = 10_000_000  # requests; the times of a profile are made at once


@dataclass(frozen=True)
class ProfileSource:
    """The arrivals of an open profile. Its own seed counts, as it does for JMeter."""

    profile: Profile
    repeats: bool = False

    @property
    def length_s(self) -> float:
        """The end of the last stage, or the last single request."""
        if stages := self.profile.stage_times():
            return stages[-1][1]
        return self.profile.length_s or 0.0

    def chunks(self, scale: float, random: np.random.Generator) -> Iterator[Floats]:
        """All arrivals at once. The rates of stages are scaled; single requests are repeated at their time."""
        profile = self.profile
        if not profile.stages:
            if scale != int(scale):
                raise TrafficError(
                    f"profile {profile.name} has single requests: its scale must be a whole number, not {scale:g}"
                )
            yield np.repeat(np.array(profile.arrivals_ms()) / 1000, int(scale))
            return
        stages = tuple(stage.model_copy(update={"rate_per_s": stage.rate_per_s * scale}) for stage in profile.stages)
        profile = profile.model_copy(update={"stages": stages})
        expected = sum((end - begin) * rate for begin, end, rate in profile.stage_times())
        if expected > MOST:
            raise TrafficError(
                f"profile {profile.name} has {expected:,.0f} requests; the most is {MOST:,}: "
                "make it shorter, or its scale smaller"
            )
        yield np.array(profile.arrivals_ms()) / 1000

    def notes(self, scale: float) -> list[str]:
        """The kind of traffic."""
        return ["a load profile"]


def to_source(name: str, seed: int) -> ProfileSource:
    """The traffic of a profile, by its name or its file; raises ProfileError and TrafficError."""
    profile = load_profile(name, changes=[f"seed={seed}"])
    if not profile.open:
        raise TrafficError(
            f"profile {profile.name} sends a request when the last one is answered, so its arrivals are not known "
            "beforehand: take one with stages or at_minutes"
        )
    return ProfileSource(profile)
