"""What a month costs on each platform that was run against, and from which volume on which is cheaper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from loadtest.cost.options import NoCost, instance_curve, instance_option, lambda_curve, lambda_option
from loadtest.cost.prices import Prices, price_warnings
from loadtest.cost.tariff import Instances, PayPerUse
from loadtest.platforms import ECS, FARGATE, LAMBDA, PLATFORMS, Platform, Setting, Settings
from loadtest.results.summary import BreakEven, CostComparison, CostOption, Summary

SMALLEST, LARGEST, POINTS = 1_000, 100_000_000, 60

# How each platform is priced: what its report row says, and its bill by volume. Others have no price.
PRICED: dict[
    str,
    tuple[
        Callable[[Sequence[Summary], Prices], CostOption], Callable[[Sequence[Summary], Prices], PayPerUse | Instances]
    ],
] = {
    LAMBDA.name: (lambda_option, lambda_curve),
    ECS.name: (instance_option, instance_curve),
    FARGATE.name: (instance_option, instance_curve),
}


def compare_costs(summaries: Sequence[Summary], prices: Prices, today: date) -> list[CostComparison]:
    """One comparison per place and model, of all that was run there; local and AWS never mix. Kubernetes has none."""
    groups: dict[tuple[str, str], dict[str, list[Summary]]] = {}
    for summary in summaries:
        if summary.run.platform in PRICED:
            labels = groups.setdefault((summary.run.where, summary.run.model), {})
            labels.setdefault(summary.run.label, []).append(summary)
    return [_compare(labels, prices, today) for labels in groups.values()]


def with_settings(summaries: Sequence[Summary], settings: Mapping[str, Setting]) -> list[Summary]:
    """The same runs with other settings, to see what they would cost then: each gets those that its platform has.

    Raises ProfileError for a setting that no run's platform has.
    """
    platforms = [PLATFORMS[name] for name in dict.fromkeys(summary.run.platform for summary in summaries)]
    for name, value in settings.items():
        having = [platform for platform in platforms if name in platform.settings]
        for platform in having or platforms:
            platform.check({name: value})
    return [
        replace(s, run=replace(s.run, settings={**s.run.settings, **_of(PLATFORMS[s.run.platform], settings)}))
        for s in summaries
    ]


def _of(platform: Platform, settings: Mapping[str, Setting]) -> Settings:
    return {name: value for name, value in settings.items() if name in platform.settings}


def volumes() -> list[int]:
    """Pictures per month for which the curves are drawn: 60 from 1000 to 100 million, evenly on a logarithmic scale."""
    return [round(SMALLEST * (LARGEST / SMALLEST) ** (i / (POINTS - 1))) for i in range(POINTS)]


def _compare(labels: dict[str, list[Summary]], prices: Prices, today: date) -> CostComparison:
    options: list[CostOption] = []
    used: dict[str, PayPerUse] = {}
    kept: dict[str, Instances] = {}
    warnings = price_warnings(prices, today)
    for label, summaries in labels.items():
        try:
            option, curve_of = PRICED[summaries[0].run.platform]
            options.append(option(summaries, prices))
            curve = curve_of(summaries, prices)
            (used if isinstance(curve, PayPerUse) else kept)[label] = curve  # type: ignore[assignment]
        except NoCost as exc:
            warnings.append(f"{label} is left out of the costs: {exc}.")
    run = next(iter(labels.values()))[0].run
    grid = volumes()
    curves: dict[str, PayPerUse | Instances] = {**used, **kept}
    return CostComparison(
        where=run.where,
        model=run.model,
        options=options,
        pictures_per_month=grid,
        usd_per_month={label: [curve.usd(volume) for volume in grid] for label, curve in curves.items()},
        break_evens=[
            break_even(below, use, above, instances) for below, use in used.items() for above, instances in kept.items()
        ],
        warnings=warnings,
    )


def break_even(below: str, use: PayPerUse, above: str, instances: Instances) -> BreakEven:
    """The smallest volume up to 100 million, exact to one picture, at which instances cost less than pay-per-use.

    `below` and `above` are the labels of the two. The bill of instances is a staircase, so the curves may cross again:
    after the next instance has been added, pay-per-use may be the cheaper one for a while. Only the first crossing is
    told here.
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
    """The first volume of a stretch at which instances cost less; both bills are straight lines there."""

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
