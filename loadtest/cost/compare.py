"""The monthly costs of the platforms that were measured, and the volumes at which the cheaper one changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from loadtest.cost.offers import NoCost, Offer
from loadtest.cost.prices import Prices, price_warnings
from loadtest.cost.tariff import Instances, PayPerUse
from loadtest.errors import SettingsError
from loadtest.platforms.registry import PLATFORMS
from loadtest.results.summary import BreakEven, CostComparison, Summary

SMALLEST, LARGEST, POINTS = 1_000, 100_000_000, 60


def compare_costs(summaries: Sequence[Summary], prices: Prices, today: date) -> list[CostComparison]:
    """One comparison per place and model; local runs and runs on AWS are never mixed."""
    groups: dict[tuple[str, str], dict[str, list[Summary]]] = {}
    for summary in summaries:
        if PLATFORMS[summary.run.platform].price:
            labels = groups.setdefault((summary.run.where, summary.run.model), {})
            labels.setdefault(summary.run.label, []).append(summary)
    return [_compare(labels, prices, today) for labels in groups.values()]


def with_settings(summaries: Sequence[Summary], changes: Mapping[str, object]) -> list[Summary]:
    """The same runs with other settings, each changed where its platform has that setting; raises SettingsError."""
    names = dict.fromkeys(summary.run.platform for summary in summaries)
    known = {name: PLATFORMS[name].settings.model_fields for name in names}
    for change in changes:
        if not any(change in fields for fields in known.values()):
            lists = "; ".join(f"the settings of {name} are {', '.join(fields)}" for name, fields in known.items())
            raise SettingsError(f"no platform of these runs has a setting {change}: {lists}")
    changed = []
    for summary in summaries:
        platform = summary.run.platform
        own = {name: value for name, value in changes.items() if name in known[platform]}
        settings = PLATFORMS[platform].parse({**summary.run.settings.given, **own})
        changed.append(replace(summary, run=replace(summary.run, settings=settings)))
    return changed


def volumes() -> list[int]:
    """Pictures per month at which the curves are drawn: 60 from 1000 to 100 million, evenly on a logarithmic scale."""
    return [round(SMALLEST * (LARGEST / SMALLEST) ** (i / (POINTS - 1))) for i in range(POINTS)]


def _compare(labels: dict[str, list[Summary]], prices: Prices, today: date) -> CostComparison:
    offers: dict[str, Offer] = {}
    warnings = price_warnings(prices, today)
    for label, summaries in labels.items():
        price = PLATFORMS[summaries[0].run.platform].price
        if price is None:
            continue
        try:
            offers[label] = price(summaries, prices)
        except NoCost as exc:
            warnings.append(f"{label} is left out of the costs: {exc}.")
    run = next(iter(labels.values()))[0].run
    grid = volumes()
    return CostComparison(
        where=run.where,
        model=run.model,
        options=[offer.option for offer in offers.values()],
        pictures_per_month=grid,
        usd_per_month={label: [offer.curve.usd(volume) for volume in grid] for label, offer in offers.items()},
        break_evens=_break_evens({label: offer.curve for label, offer in offers.items()}),
        warnings=warnings,
    )


def _break_evens(curves: Mapping[str, PayPerUse | Instances]) -> list[BreakEven]:
    return [
        break_even(below, use, above, instances)
        for below, use in curves.items() if isinstance(use, PayPerUse)
        for above, instances in curves.items() if isinstance(instances, Instances)
    ]  # fmt: skip


def break_even(below: str, use: PayPerUse, above: str, instances: Instances) -> BreakEven:
    """The smallest volume up to 100 million, exact to one picture, at which instances cost less than pay-per-use.

    `below` and `above` are the labels of the two. The bill of instances is a staircase, so the curves may cross again:
    after the next instance has been added, pay-per-use may be cheaper for a while. Only the first crossing is returned.
    """
    first, count = 1, 0
    while first <= LARGEST:
        count += 1
        for corner in instances.corners(count):
            last = min(corner, LARGEST)
            if first <= last:
                volume = _first_cheaper(use, instances, first, last)
                if volume is not None:
                    return BreakEven(below, above, volume, instances.usd(volume))
                first = last + 1
    return BreakEven(below, above, None, None)


def _first_cheaper(use: PayPerUse, instances: Instances, first: int, last: int) -> int | None:
    """The first volume of a range at which instances cost less; both bills are linear there."""

    def cheaper(volume: int) -> bool:
        return instances.usd(volume) < use.usd(volume)

    if cheaper(first):
        return first
    if not cheaper(last):
        return None
    while last - first > 1:
        middle = (first + last) // 2
        first, last = (first, middle) if cheaper(middle) else (middle, last)
    return last
