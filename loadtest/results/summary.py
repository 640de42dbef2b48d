"""The summary of a run and the comparison of costs: the values that pass from analysis to cost and report.

Times are milliseconds unless the name says otherwise, money is US dollars. `dataclasses.asdict` turns
all of it but the settings into plain values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from loadtest.platforms.settings import Settings

Where = Literal["local", "aws"]
Mode = Literal["closed", "open"]
Status = Literal["finished", "interrupted", "failed"]
PhaseKind = Literal["batch", "users", "payload", "gap", "rate"]
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class RunInfo:
    """The description of a run, from its folder.

    `label` names the platform with its size, e.g. "Lambda 3000 MB", the same in every table and chart. `dashboard` is
    the folder of JMeter's own report, if there is one.
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
    """Response times of answers, milliseconds.

    `too_few` names the percentiles for which `count` is too small: the maximum stands in their place. A 95th percentile
    needs 20 answers, a 99th 100.
    """

    count: int
    mean: Estimate
    p50: Estimate
    p90: Estimate
    p95: Estimate
    p99: Estimate
    max: float
    too_few: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "too_few", too_few(self.count))


def too_few(count: int) -> tuple[str, ...]:
    """The percentiles that `count` samples do not carry: in their order, it would be the last one or none."""
    return tuple(name for name, share in PERCENTILES.items() if position(share, count) >= count)


def position(share: float, count: int) -> float:
    """The place of a percentile among `count` ordered samples, from 1; above `count` it is that of the maximum.

    It is the method of JMeter's dashboard (LEGACY of Apache Commons Math), which numpy calls "weibull".
    """
    return round(share * (count + 1), 9)  # 0.95 * 20 is not exactly 19.


@dataclass(frozen=True)
class Phase:
    """A part of a run: a batch, a number of users, a size of picture, a gap or a rate.

    `latency` covers the answers with status 200 and is None if there are none; `users` is the number of active users,
    0 in an open profile; `at_s` is its start, in seconds after the start of the run.
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
    """A point of time in a run: one request, or a slice of time if there are many requests.

    `median_ms` and `max_ms` cover all requests that began then, including failed ones.
    """

    at_s: float
    requests: int
    errors: int
    cold_starts: int
    median_ms: float
    max_ms: float


@dataclass(frozen=True)
class Summary:
    """The figures of one run.

    `all`, `cold` and `warm` cover answers with status 200; if it is unknown which of them are cold, `cold` and `warm`
    are None. `corrected` counts from the scheduled start of a request in an open profile and is None for a closed one.
    `errors` counts by code: that of the contract if the answer had one, else the HTTP status, else the client's reason.
    `steps_ms` is the mean of each of the five steps of warm answers and of `other`, the rest of the response time.
    `billed_ms` is the mean billed time of a function, estimated by the client: the steps of a warm answer, the whole
    response time of a cold one. `processors` counts the instances by processor and instruction set; it is empty if the
    answers did not say. `lag_ms` is the 95th percentile of the delays of the load generator itself.
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
    processors: dict[str, int] = field(default_factory=dict)

    @property
    def knows_cold(self) -> bool:
        """Whether its answers say if they are cold."""
        return bool(self.cold or self.warm)

    @property
    def failed(self) -> int:
        """The number of requests without an answer of status 200."""
        return sum(self.errors.values())


@dataclass(frozen=True)
class Skipped:
    """A run that could not be read, with the reason in one line."""

    name: str
    reason: str


@dataclass(frozen=True)
class CostOption:
    """The costs of one platform for one model, from its runs.

    `usd_per_1000` is the price of 1000 more pictures on a pay-per-use platform; on instances, the price of 1000
    pictures if one instance is as busy as auto scaling allows. `capacity_per_month` is the number of pictures that one
    instance serves then, None for pay-per-use. `assumptions` are sentences: prices, sizes and the runs used.
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
    """The volume at which one option becomes cheaper than another; `pictures_per_month` is None if it never does.

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
