"""Shapes: traffic that a few numbers describe, such as the rates of a day. All have random (Poisson) arrivals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from planner.traffic.poisson import to_mean
from planner.types import Floats

DAY_S = 86_400.0
YEAR_DAYS = 366
MOST_CHANGES = 10_000_000  # of the rate, in the whole traffic
BATCH = 4096  # changes of the rate that are made at once
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Rate = Annotated[float, Field(ge=0, le=100_000)]  # requests per second
Duration = Annotated[float, Field(gt=0, le=YEAR_DAYS * DAY_S)]  # seconds
Factor = Annotated[float, Field(ge=0, le=1000)]


class Shape(BaseModel, ABC):
    """What all shapes have: a sentence about it, and a length in seconds or in days."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = ""
    about: str
    for_s: Duration | None = None
    for_days: float | None = Field(None, gt=0, le=YEAR_DAYS)

    @model_validator(mode="after")
    def _has_a_length_and_requests(self: Made) -> Made:
        if (self.for_s is None) == (self.for_days is None):
            raise ValueError("exactly one of for_s and for_days is needed")
        if self.length_s / self.steady_s > MOST_CHANGES:
            raise ValueError(f"the rate changes more than {MOST_CHANGES:,} times: make it shorter or the changes rarer")
        if self.mean_per_s == 0:
            raise ValueError("the rate is always 0")
        return self

    @property
    def length_s(self) -> float:
        """The time that the shape covers, seconds."""
        return self.for_s if self.for_s is not None else (self.for_days or 0) * DAY_S

    @property
    def steady_s(self) -> float:
        """The mean time between two changes of the rate, seconds."""
        return self.length_s

    @property
    def period_s(self) -> float | None:
        """The time after which the rates are the same again; None if they never are."""
        return None

    @property
    def mean_per_s(self) -> float:
        """The mean rate."""
        return to_mean(self.segments(np.random.default_rng(1)), self.length_s)

    @property
    @abstractmethod
    def peak_per_s(self) -> float:
        """The highest rate."""

    @abstractmethod
    def segments(self, random: np.random.Generator) -> Iterator[Floats]:
        """The rates, as `poisson.to_arrivals` takes them."""

    def _cut(self, segments: Floats) -> Floats:
        """Segments without what comes after the end of the shape."""
        starts, ends, begin, end = segments[segments[:, 0] < self.length_s].T
        until = np.minimum(ends, self.length_s)
        return np.stack((starts, until, begin, begin + (end - begin) * (until - starts) / (ends - starts)), axis=1)


Made = TypeVar("Made", bound=Shape)


class Constant(Shape):
    """The same rate all the time."""

    kind: Literal["constant"]
    rate_per_s: Rate

    @property
    def period_s(self) -> float:
        """Any time: the length."""
        return self.length_s

    @property
    def peak_per_s(self) -> float:
        """The rate."""
        return self.rate_per_s

    def segments(self, random: np.random.Generator) -> Iterator[Floats]:
        """One segment."""
        yield np.array([[0, self.length_s, self.rate_per_s, self.rate_per_s]])


class Ramp(Shape):
    """A rate that rises or falls evenly."""

    kind: Literal["ramp"]
    from_per_s: Rate
    to_per_s: Rate

    @property
    def peak_per_s(self) -> float:
        """The rate at the start or at the end."""
        return max(self.from_per_s, self.to_per_s)

    def segments(self, random: np.random.Generator) -> Iterator[Floats]:
        """One segment."""
        yield np.array([[0, self.length_s, self.from_per_s, self.to_per_s]])


class Curve(Shape):
    """Rates at hours of the day, interpolated, times a factor of the weekday. It begins on a Monday at 0:00."""

    kind: Literal["curve"]
    rates_per_s: dict[Annotated[float, Field(ge=0, lt=24)], Rate] = Field(min_length=1, max_length=1440)
    weekdays: dict[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], Factor] = {}

    @property
    def steady_s(self) -> float:
        """A day has a change at each of its hours and at midnight."""
        return DAY_S / (len(self.rates_per_s) + 1)

    @property
    def period_s(self) -> float:
        """A week if weekdays differ, else a day."""
        return 7 * DAY_S if self.weekdays else DAY_S

    @property
    def peak_per_s(self) -> float:
        """The highest rate of the days that the shape covers."""
        return max(float(batch[:, 2:].max()) for batch in self.segments(np.random.default_rng(1)))

    def segments(self, random: np.random.Generator) -> Iterator[Floats]:
        """A day at a time."""
        hours = np.array(sorted({0.0, 24.0, *self.rates_per_s}))
        given = sorted(self.rates_per_s.items())
        rates = np.interp(hours, [hour for hour, _ in given], [rate for _, rate in given], period=24)
        for day in range(int(np.ceil(self.length_s / DAY_S))):
            times = day * DAY_S + hours * 3600
            levels = rates * self.weekdays.get(DAYS[day % 7], 1)  # type: ignore[call-overload]
            yield self._cut(np.stack((times[:-1], times[1:], levels[:-1], levels[1:]), axis=1))


class OnOff(Shape):
    """Two rates by turns, for fixed times; the first one comes first."""

    kind: Literal["on-off"]
    on_per_s: Rate
    on_s: Duration
    off_per_s: Rate = 0
    off_s: Duration

    @property
    def steady_s(self) -> float:
        """Two changes in a period."""
        return self.period_s / 2

    @property
    def period_s(self) -> float:
        """Both times."""
        return self.on_s + self.off_s

    @property
    def peak_per_s(self) -> float:
        """The higher rate."""
        return max(self.on_per_s, self.off_per_s) if self.length_s > self.on_s else self.on_per_s

    def segments(self, random: np.random.Generator) -> Iterator[Floats]:
        """Some periods at a time."""
        number = int(np.ceil(self.length_s / self.period_s))
        for first in range(0, number, BATCH):
            starts = np.arange(first, min(first + BATCH, number) + 1) * self.period_s
            times = np.stack((starts, starts + self.on_s), axis=1).ravel()[:-1]
            rates = np.tile((self.on_per_s, self.off_per_s), len(starts) - 1)
            yield self._cut(np.stack((times[:-1], times[1:], rates, rates), axis=1))


class State(BaseModel):
    """A state of a Markov-modulated Poisson process."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rate_per_s: Rate
    mean_s: Duration


class Mmpp(Shape):
    """A Markov-modulated Poisson process: each state lasts an exponential time, then any other one may follow.

    It begins in a state that is as likely as its share of the time.
    """

    kind: Literal["mmpp"]
    states: tuple[State, ...] = Field(min_length=2, max_length=100)

    @property
    def steady_s(self) -> float:
        """The mean time of the states, which are equally frequent."""
        return sum(state.mean_s for state in self.states) / len(self.states)

    @property
    def period_s(self) -> float:
        """Any time: the length, since the states are as likely at each time."""
        return self.length_s

    @property
    def mean_per_s(self) -> float:
        """The mean rate of all possible courses, not of one."""
        time = sum(state.mean_s for state in self.states)
        return sum(state.rate_per_s * state.mean_s for state in self.states) / time

    @property
    def peak_per_s(self) -> float:
        """The highest rate of a state."""
        return max(state.rate_per_s for state in self.states)

    def segments(self, random: np.random.Generator) -> Iterator[Floats]:
        """Some states at a time, until the end."""
        rates = np.array([state.rate_per_s for state in self.states])
        means = np.array([state.mean_s for state in self.states])
        start, state = 0.0, int(random.choice(len(means), p=means / means.sum()))
        while start < self.length_s:
            steps = random.integers(1, len(means), BATCH)
            states = (state + np.concatenate(([0], np.cumsum(steps)))) % len(means)
            ends = start + np.cumsum(random.exponential(means[states[:-1]]))
            now = rates[states[:-1]]
            yield self._cut(np.stack((np.append(start, ends[:-1]), ends, now, now), axis=1))
            start, state = float(ends[-1]), int(states[-1])
