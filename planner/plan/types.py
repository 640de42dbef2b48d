"""A plan as values: what passes from the simulations to the page and to the files beside it.

Times are seconds, money is US dollars per month of 730 hours, shares are from 0 to 1. `dataclasses.asdict` turns all of
it into plain values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.results.summary import Estimate, Where
from planner.scaling.books import Assumption


@dataclass(frozen=True)
class Figures:
    """The figures of one configuration, each with the range over the seeds (`Estimate.low` to `Estimate.high`).

    Percentiles are of the requests that were answered. They are NaN without any. `usd` is None where the price is
    unknown. `instances` is the mean number over time: of instances of a function, tasks or pods.
    """

    p50_s: Estimate
    p95_s: Estimate
    p99_s: Estimate
    cold: Estimate
    errors: Estimate
    instances: Estimate
    usd: Estimate | None


@dataclass(frozen=True)
class BillLine:
    """One line of a monthly bill, e.g. "GB-seconds" or "load balancer"."""

    what: str
    usd: float


@dataclass(frozen=True)
class Slice:
    """A slice of the simulated time. Percentiles are None where no request of the slice was answered."""

    at_s: float
    requests: int
    errors: int
    cold: int
    instances: float
    p50_s: float | None
    p95_s: float | None


@dataclass(frozen=True)
class Outcome:
    """What one configuration does with the traffic.

    `label` is unique in a plan; `platform` is the title of its platform, e.g. "Lambda" or "ECS". `settings` are those
    that distinguish it, as shown. `misses` has the parts of the objective that it misses, such as "p95 2.5 s > 2 s";
    without any it meets the objective. `slices` are from the first seed.
    """

    label: str
    platform: str
    settings: Mapping[str, str]
    figures: Figures
    misses: Sequence[str]
    bill: Sequence[BillLine]
    slices: Sequence[Slice]

    @property
    def meets(self) -> bool:
        """Whether it meets the objective."""
        return not self.misses


@dataclass(frozen=True)
class Turn:
    """The decision under a changed assumption, e.g. "twice the traffic". `winner` is None if nothing meets it.

    `close` tells that another platform may be the cheapest, by the ranges of the figures.
    """

    change: str
    winner: str | None
    usd: Estimate | None
    close: bool = False


@dataclass(frozen=True)
class CostCurve:
    """The monthly bill by volume: `usd[label][i]` belongs to `pictures_per_month[i]`, its range is `low` to `high`.

    `meets[label][i]` tells whether the configuration meets the objective at that volume.
    """

    pictures_per_month: Sequence[float]
    usd: Mapping[str, Sequence[float]]
    low: Mapping[str, Sequence[float]]
    high: Mapping[str, Sequence[float]]
    meets: Mapping[str, Sequence[bool]]


@dataclass(frozen=True)
class HeatMap:
    """The cheapest platform that meets the objective, by shape of traffic and volume: `platform[shape][volume]`.

    None where nothing meets the objective. The range of `usd` is `low` to `high`. `close` tells that another platform
    may be the cheapest, by the ranges of the figures.
    """

    shapes: Sequence[str]
    pictures_per_month: Sequence[float]
    platform: Sequence[Sequence[str | None]]
    usd: Sequence[Sequence[float | None]]
    low: Sequence[Sequence[float | None]]
    high: Sequence[Sequence[float | None]]
    close: Sequence[Sequence[bool]]


@dataclass(frozen=True)
class TrafficFacts:
    """The traffic of a plan: `requests` in `length_s` seconds, of which the busiest minute has `busiest_minute`.

    It is repeated until the `simulated_s` seconds of the slices are full.
    """

    name: str
    source: str
    requests: int
    length_s: float
    per_month: float
    per_s: float
    busiest_minute: int
    simulated_s: float


@dataclass(frozen=True)
class Measured:
    """Where the service times come from: the runs, and what they measured; `left_out` says which ones lack pictures.

    `processors` are those of the instances, with their instruction sets; older runs do not record them.
    """

    model: str
    where: Where
    machines: Sequence[str]
    commits: Sequence[str]
    runs: Sequence[str]
    first: str
    last: str
    processors: Sequence[str] = ()
    left_out: Sequence[str] = ()


@dataclass(frozen=True)
class Plan:
    """Everything that a plan says.

    `outcomes` are sorted: those that meet the objective by cost, then the others, the nearest to it first; those
    without a price come last in their group. `seeds` is the number of simulations behind each range. `complete` is
    False if the search was interrupted.
    """

    objective: str
    traffic: TrafficFacts
    measured: Measured
    outcomes: Sequence[Outcome]
    turns: Sequence[Turn]
    cost_curve: CostCurve | None
    heat_map: HeatMap | None
    assumptions: Sequence[Assumption]
    warnings: Sequence[str]
    seeds: int
    complete: bool

    @property
    def best(self) -> Outcome | None:
        """The cheapest configuration that meets the objective; None if there is none with a price."""
        return next((one for one in self.outcomes if one.meets and one.figures.usd), None)

    @property
    def runner_up(self) -> Outcome | None:
        """The cheapest one on another platform than the best; None if there is none."""
        best = self.best
        others = (one for one in self.outcomes if best and one.meets and one.figures.usd)
        return next((one for one in others if best and one.platform != best.platform), None)
