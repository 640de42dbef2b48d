"""The costs of one platform, and the figures of its runs that every price needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from loadtest.cost.prices import PRICES, Prices, RegionPrices
from loadtest.cost.tariff import Instances, PayPerUse
from loadtest.platforms.settings import Settings
from loadtest.results.summary import CostOption, Summary

LEFT_OUT = (
    "List prices of the first tier, without S3, logs, traffic, public IPv4 addresses, disks, free tiers and taxes."
)
# Profiles with usual traffic, best first; the others cause many cold starts or use large pictures.
USUAL_PROFILES = ("single", "steady")

S = TypeVar("S", bound=Settings)


class NoCost(Exception):
    """A platform cannot be priced; the message is a clause that gives the reason."""


@dataclass(frozen=True)
class Offer:
    """The costs of one label: the row of the table, and the bill of a month by volume."""

    option: CostOption
    curve: PayPerUse | Instances


def offer(
    summaries: Sequence[Summary], curve: PayPerUse | Instances, usd_per_1000: float, assumptions: Sequence[str]
) -> Offer:
    """The costs of runs of one label; `assumptions` are completed here with those that every platform shares."""
    run = summaries[0].run
    local = (
        f"Measured on a local stand-in ({run.machine}), not on AWS: this is what {run.label} would cost if AWS were "
        "exactly as fast as this stand-in on this machine."
    )
    option = CostOption(
        label=run.label,
        platform=run.platform,
        usd_per_1000=usd_per_1000,
        fixed_usd_per_month=curve.usd(0),
        capacity_per_month=float(curve.capacity) if isinstance(curve, Instances) else None,
        runs=[summary.run.name for summary in summaries],
        assumptions=[*([local] if run.where == "local" else []), *assumptions, LEFT_OUT],
    )
    return Offer(option, curve)


def agreed(summaries: Sequence[Summary], kind: type[S], but: Sequence[str] = ()) -> S:
    """The settings that all runs of one label share; raises NoCost where they differ in another one than `but`."""
    found = [summary.run.settings for summary in summaries]
    first = found[0]
    if not isinstance(first, kind):
        raise TypeError(f"settings must be {kind.__name__}, but are {type(first).__name__}")
    for name in kind.model_fields:
        values = sorted({str(getattr(settings, name)) for settings in found})
        if len(values) > 1 and name not in but:
            raise NoCost(f"its runs differ in {name} ({', '.join(values)}): give them different labels")
    return first


def region_prices(prices: Prices, name: str) -> RegionPrices:
    """The prices of a region; raises NoCost."""
    if name not in prices.regions:
        raise NoCost(f"region {name} is not in loadtest/cost/{PRICES.name}, which has {', '.join(prices.regions)}")
    return prices.regions[name]


def billed_ms(summaries: Sequence[Summary]) -> float:
    """The mean billed time per answer, of runs with usual traffic if there are any; raises NoCost."""
    known = [(s.run.profile, s.billed_ms, s.answered) for s in summaries if s.billed_ms is not None and s.answered > 0]
    for profile in USUAL_PROFILES:
        usual = [one for one in known if one[0] == profile]
        if usual:
            known = usual
            break
    if not known:
        raise NoCost("none of its runs has an answer, so the billed time is unknown")
    return sum(mean * count for _, mean, count in known) / sum(count for *_, count in known)


def answer_bytes(summaries: Sequence[Summary]) -> float:
    """The mean size of an answer."""
    answered = sum(summary.answered for summary in summaries)
    return sum(summary.answer_bytes * summary.answered for summary in summaries) / max(1, answered)
