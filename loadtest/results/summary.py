"""What is known of a run once its samples are summed up: the values that pass from analysis to cost and report.

Times are milliseconds unless the name says otherwise, money is US dollars. All of it can be written as JSON by
`dataclasses.asdict`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from loadtest.platforms.settings import Settings

Where = Literal["local", "aws"]
Mode = Literal["closed", "open"]
Status = Literal["finished", "interrupted", "failed"]
PhaseKind = Literal["batch", "users", "payload", "gap", "rate"]


@dataclass(frozen=True)
class RunInfo:
    """What was run against what, from the run's folder.

    `label` names the platform with its size, e.g. "Lambda 3000 MB": the same in every table and chart. `dashboard` is
    the folder of JMeter's own report, where there is one.
    """

    name: str
    folder: str
    profile: str
    question: str
    mode: Mode
    platform: str
    where: Where
    label: str
    target: str
    settings: Settings
    model: str
    commit: str
    image: str
    machine: str
    started: str
    status: Status
    command: str
    dashboard: str | None = None


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95% bootstrap confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Latency:
    """Response times of some answers, milliseconds."""

    count: int
    mean: Estimate
    p50: Estimate
    p90: Estimate
    p95: Estimate
    p99: Estimate
    max: float


@dataclass(frozen=True)
class Phase:
    """A part of a run that the profile sets apart: a batch, a number of users, a size of picture, a gap, a rate.

    `latency` is of the answers with status 200 and None where there are none; `users` is how many users were at work,
    0 in an open profile; `at_s` is when it began, seconds after the run did.
    """

    name: str
    kind: PhaseKind
    at_s: float
    users: int
    requests: int
    errors: int
    cold_starts: int
    throughput_per_s: float
    offered_per_s: float | None
    latency: Latency | None


@dataclass(frozen=True)
class Point:
    """A moment of a run: one request where there are few, otherwise all of a slice of time.

    `median_ms` and `max_ms` are of all requests that began then, the failed included.
    """

    at_s: float
    requests: int
    errors: int
    cold_starts: int
    median_ms: float
    max_ms: float


@dataclass(frozen=True)
class Summary:
    """One run, summed up.

    `all`, `cold` and `warm` are of answers with status 200; `corrected` counts from when an open profile wanted the
    request sent, and is None for a closed one. `errors` counts by code: the contract's where the answer had one, else
    the HTTP status, else the client's reason. `steps_ms` is the mean of each of the five steps of warm answers and of
    `other`: what lies between client and steps. `billed_ms` is the mean time a function would be billed for, as far as
    the client can tell: the steps of a warm answer, all of a cold one. `lag_ms` is how late the load generator itself
    was, 95th percentile.
    """

    run: RunInfo
    duration_s: float
    requests: int
    answered: int
    errors: dict[str, int]
    throughput_per_s: float
    offered_per_s: float | None
    all: Latency | None
    cold: Latency | None
    warm: Latency | None
    corrected: Latency | None
    lag_ms: float | None
    cold_starts: dict[str, int]
    instances: int
    steps_ms: dict[str, float]
    billed_ms: float | None
    answer_bytes: float
    phases: list[Phase]
    points: list[Point]
    warnings: list[str] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many requests were not answered with status 200."""
        return sum(self.errors.values())


@dataclass(frozen=True)
class Skipped:
    """A run that could not be read, and why, in one line."""

    name: str
    reason: str


@dataclass(frozen=True)
class CostOption:
    """What one platform costs for one model, from its runs.

    `usd_per_1000` is what 1000 more pictures cost on a pay-per-use platform; on instances, what 1000 pictures cost
    when one instance is kept as busy as the auto-scaling allows. `capacity_per_month` is what one instance can do then,
    None for pay-per-use. `assumptions` are sentences: prices used, sizes, where the figures come from.
    """

    label: str
    platform: str
    usd_per_1000: float
    fixed_usd_per_month: float
    capacity_per_month: float | None
    runs: list[str]
    assumptions: list[str]


@dataclass(frozen=True)
class BreakEven:
    """Where one option becomes cheaper than another; `pictures_per_month` is None where it never does.

    `cheaper_below` and `cheaper_above` are labels of options.
    """

    cheaper_below: str
    cheaper_above: str
    pictures_per_month: int | None
    usd_per_month: float | None


@dataclass(frozen=True)
class CostComparison:
    """All options for one model in one place; `usd_per_month[label][i]` belongs to `pictures_per_month[i]`."""

    where: Where
    model: str
    options: list[CostOption]
    pictures_per_month: list[int]
    usd_per_month: dict[str, list[float]]
    break_evens: list[BreakEven]
    warnings: list[str]
