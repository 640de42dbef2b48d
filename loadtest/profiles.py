"""A profile: the load of one run, which answers one question about a platform. It does not name the platform."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from loadtest.errors import ProfileError, first_problem

FOLDER = Path(__file__).parent / "profiles"

# The kinds of picture that requests name; `scenes.pictures` renders them.
Pictures = Literal["scenes", "small", "medium", "large"]


class Stage(BaseModel):
    """A part of an open profile: requests at random times, at a mean rate, for a duration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate_per_s: float = Field(gt=0, le=10_000)
    for_s: float = Field(gt=0, le=86_400)


class Profile(BaseModel):
    """One profile. Exactly one of `loops`, `steps`, `at_minutes` and `stages` defines how requests are sent.

    `loops`: each of `users` sends this number of requests, one after the other, all users simultaneously if `together`.
    `steps`: numbers of users, for `hold_s` each after a ramp of `ramp_s`. `at_minutes`: single requests at these
    minutes. `stages`: open, at random times (a Poisson process, the same for the same `seed`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    question: str
    source: str = ""
    pictures: tuple[Pictures, ...] = ("scenes",)
    users: int = Field(1, ge=1, le=1000)
    loops: int | None = Field(None, ge=1, le=1_000_000)
    together: bool = False
    steps: tuple[int, ...] | None = Field(None, min_length=1)
    ramp_s: float = Field(0, ge=0)
    hold_s: float = Field(30, gt=0)
    at_minutes: tuple[float, ...] | None = Field(None, min_length=1)
    stages: tuple[Stage, ...] | None = Field(None, min_length=1)
    seed: int = 1
    pause_s: float = Field(0, ge=0)
    timeout_s: float = Field(60, gt=0)
    time_scale: float = Field(1, gt=0)

    @model_validator(mode="after")
    def _is_one_way(self) -> Profile:
        ways = [name for name in ("loops", "steps", "at_minutes", "stages") if getattr(self, name) is not None]
        if len(ways) != 1:
            found = " and ".join(ways) or "none"
            raise ValueError(f"exactly one of loops, steps, at_minutes and stages is needed, not {found}")
        if self.steps and (min(self.steps) < 1 or list(self.steps) != sorted(set(self.steps))):
            raise ValueError("steps must be increasing numbers of users, from 1")
        if self.at_minutes and (min(self.at_minutes) < 0 or list(self.at_minutes) != sorted(self.at_minutes)):
            raise ValueError("at_minutes must not decrease, from 0")
        return self

    @property
    def open(self) -> bool:
        """Whether requests are sent on schedule, without waiting for answers."""
        return self.at_minutes is not None or self.stages is not None

    @property
    def threads(self) -> int:
        """Users of a closed profile; threads of an open one, enough to have one free even if no request is answered.

        At most rate times timeout requests can wait for an answer.
        """
        if self.steps:
            return max(self.steps)
        if not self.open:
            return self.users
        waiting = max((stage.rate_per_s for stage in self.stages or ()), default=1) * self.timeout_s
        return min(len(self.arrivals_ms()), int(waiting * 1.2) + 10)

    def arrivals_ms(self) -> list[int]:
        """The schedule of an open profile, milliseconds after its start; empty for a closed one."""
        if self.at_minutes is not None:
            return [round(minute * 60_000 * self.time_scale) for minute in self.at_minutes]
        random = np.random.default_rng(self.seed)
        arrivals: list[int] = []
        for begin, end, rate in self.stage_times():
            # Given their number, the arrivals of a Poisson process are uniform; the number itself is fixed by the rate.
            count = max(1, round((end - begin) * rate))
            arrivals += sorted((random.uniform(begin, end, count) * 1000).astype(int).tolist())
        return arrivals

    def starts_ms(self) -> list[int]:
        """The start of each user of a profile with steps, milliseconds after the start of the profile."""
        starts: list[int] = []
        for (begin, _, users), before in zip(self.step_times(), (0, *(self.steps or ())), strict=False):
            more = users - before
            starts += [round((begin - self.ramp_s * self.time_scale * (1 - k / more)) * 1000) for k in range(more)]
        return starts

    def step_times(self) -> list[tuple[float, float, int]]:
        """Start and end of each step without its ramp, seconds, and its users."""
        ramp, hold = self.ramp_s * self.time_scale, self.hold_s * self.time_scale
        return [(k * (ramp + hold) + ramp, (k + 1) * (ramp + hold), users) for k, users in enumerate(self.steps or ())]

    def stage_times(self) -> list[tuple[float, float, float]]:
        """Start and end of each stage, seconds, and its rate per second."""
        stages = self.stages or ()
        ends = list(itertools.accumulate(stage.for_s * self.time_scale for stage in stages))
        rates = [stage.rate_per_s for stage in stages]
        return list(zip([0.0, *ends[:-1]], ends, rates, strict=True)) if stages else []

    @property
    def length_s(self) -> float | None:
        """The duration, seconds; None if it depends on the answers."""
        if self.steps:
            return self.step_times()[-1][1]
        return self.arrivals_ms()[-1] / 1000 if self.open else None

    @property
    def total(self) -> int | None:
        """The number of requests; None if it depends on the answers."""
        if self.open:
            return len(self.arrivals_ms())
        return self.users * self.loops if self.loops else None

    def properties(self) -> dict[str, str | int]:
        """The properties of the JMeter plan for this profile."""
        given: dict[str, str | int] = {
            "users": self.threads,
            "loops": self.loops or -1,
            "recycle": str(not self.open).lower(),
            "together": self.users if self.together else 1,
            "pause": round(self.pause_s * 1000),
            "timeout": round(self.timeout_s * 1000),
        }
        if self.steps:
            given["starts"] = ",".join(map(str, self.starts_ms()))
            given["hold"] = max(1, round(self.step_times()[-1][1]))
        return given


def names() -> list[str]:
    """The names of all profiles."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def load_profile(name: str, *, short: bool = False, changes: Sequence[str] = ()) -> Profile:
    """Read a profile by its name or its file; raises ProfileError.

    `short` applies the values under `short` in the file; `changes` are `name=value`, the value in YAML, applied last.
    """
    file = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    try:
        text = file.read_text()
    except OSError:
        raise ProfileError(
            f"there is no profile {name}: take one of {', '.join(names())}, or name a .yaml file"
        ) from None
    try:
        given = yaml.safe_load(text)
        if not isinstance(given, dict):
            raise ProfileError(f"{file}: a profile must be a mapping of names to values")
        brief = given.pop("short", {})
        if not isinstance(brief, dict):
            raise ProfileError(f"{file}: short must be a mapping of names to values, not {brief!r}")
        given |= {"name": file.stem} | (brief if short else {}) | _parse(changes)
        return Profile.model_validate(given)
    except yaml.YAMLError as exc:
        raise ProfileError(f"{file} is not YAML: {' '.join(str(exc).split())}") from None
    except ValidationError as exc:
        raise ProfileError(f"{file}: {first_problem(exc)}") from None


def _parse(changes: Sequence[str]) -> dict[str, Any]:
    pairs = [change.partition("=") for change in changes]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise ProfileError(f"{wrong[0]} is not a change of a profile: write name=value")
    try:
        return {name: yaml.safe_load(value) for name, _, value in pairs}
    except yaml.YAMLError as exc:
        raise ProfileError(f"{' '.join(changes)}: a value is not YAML: {' '.join(str(exc).split())}") from None
