"""The answer first: which platform for which traffic, in a few sentences with the numbers they rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loadtest.report import picks
from loadtest.report.contents import Section
from loadtest.report.figures import ms, pictures, rate, share, usd
from loadtest.summary import CostComparison, Latency, Phase

FASTER = 1.25  # Times; what is less apart is called equal.


@dataclass(frozen=True)
class Sentence:
    """One sentence of the answer, and in a word or two what it is about."""

    topic: str
    text: str


def answer(section: Section) -> list[Sentence]:
    """Two to five sentences on one model in one place; one when nothing was answered."""
    about = [
        ("Price", _price(section.costs)),
        ("Many users at once", _users(picks.most_users(section.runs))),
        ("Warm", _warm(section)),
        ("Cold", _cold(section)),
        ("Highest rate", _rate(section)),
    ]
    found = [Sentence(topic, text) for topic, text in about if text]
    if section.runs and all(run.all is None for run in section.runs):
        return [Sentence("No answer", "No request of any run was answered: see the errors below.")]
    return found


def _price(costs: list[CostComparison]) -> str:
    for cost in costs:
        steps = picks.cheapest(cost)
        if len(cost.options) > 1 and steps:
            return _cheapest(cost, steps)
        if cost.options:
            only = cost.options[0]
            return (
                f"{only.label} costs {usd(only.usd_per_1000)} per 1,000 pictures and {usd(only.fixed_usd_per_month)} "
                "a month besides; no other platform was priced, so there is no break-even."
            )
    return "No costs were worked out for these runs, so there is no break-even."


def _cheapest(cost: CostComparison, steps: list[tuple[str, int | None]]) -> str:
    largest = max(cost.pictures_per_month)
    first, until = steps[0]
    if until is None:
        return f"{first} is the cheapest at every volume up to {pictures(largest)} pictures a month."
    parts = [f"Up to {pictures(until)} pictures a month {first} is the cheapest{_both(cost, steps, 0)}"]
    for i, (label, end) in enumerate(steps[1:], 1):
        if end is None:
            parts.append(f"above that {label}")
        else:
            parts.append(f"from there to {pictures(end)} {label}{_both(cost, steps, i)}")
    return f"{', '.join(parts)}."


def _both(cost: CostComparison, steps: list[tuple[str, int | None]], i: int) -> str:
    below, above = steps[i][0], steps[i + 1][0]
    for even in cost.break_evens:
        if (even.cheaper_below, even.cheaper_above) == (below, above) and even.usd_per_month is not None:
            return f" (both {usd(even.usd_per_month)} a month there)"
    return ""


def _users(phases: dict[str, Phase]) -> str:
    times = {label: phase.latency.p95.value for label, phase in phases.items() if phase.latency}
    if not times:
        return ""
    users = next(iter(phases.values())).users
    said = listed(
        f"{label} within {ms(time)} ms{_failing(phases[label])}"
        for label, time in sorted(times.items(), key=lambda item: item[1])
    )
    opening = f"With {users} users at once, 95% of the answers came from {said}"
    fastest, slowest = min(times, key=times.__getitem__), max(times, key=times.__getitem__)
    if len(times) < 2:
        return f"{opening}."
    if times[slowest] < FASTER * times[fastest]:
        return f"{opening}: no great difference."
    return f"{opening}: for traffic in bursts {fastest} is {rate(times[slowest] / times[fastest])} times as fast."


def _failing(phase: Phase) -> str:
    bad = phase.errors / max(1, phase.requests) > picks.MOST_ERRORS
    return f" ({share(phase.errors, phase.requests)} failed)" if bad else ""


def _warm(section: Section) -> str:
    chosen = [(run, run.warm) for run in picks.like_for_like(section.runs) if run.warm]
    if not chosen:
        return "No warm answer was measured."
    said = listed(f"{run.run.label} in {ms(warm.p50.value)} ms{_tail(warm)}" for run, warm in chosen)
    return f"Once warm, half of the answers came from {said}, in profile {chosen[0][0].run.profile}."


def _tail(latency: Latency) -> str:
    return f" (p95 {ms(latency.p95.value)})"


def _cold(section: Section) -> str:
    chosen = picks.coldest(section.runs)
    cold = {label: run.cold for label, run in chosen.items() if run and run.cold}
    none = [label for label, run in chosen.items() if run is None]
    if not chosen:
        return ""
    if not cold:
        return f"No cold start was seen on {listed(none)}."
    said = listed(
        f"{ms(latency.p50.value)} ms on {label} (p50 of {latency.count}"
        + (f", p95 {ms(latency.p95.value)})" if latency.count > 1 else ")")
        for label, latency in cold.items()
    )
    return f"A cold start makes it {said}{f'; none was seen on {listed(none)}' if none else ''}."


def _rate(section: Section) -> str:
    best = picks.highest_rate(section.runs)
    if not best:
        return ""
    ordered = sorted(best.items(), key=lambda item: -item[1].per_s)
    said = listed(f"{rate(found.per_s)} per second by {label} ({found.load})" for label, found in ordered)
    return f"The highest rate answered with at most {picks.MOST_ERRORS:.0%} errors was {said}."


def listed(parts: Iterable[str]) -> str:
    """Several things in a row of words: a, b and c."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
