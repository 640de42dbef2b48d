"""The summary at the top of a report: which platform for which traffic, in a few sentences with figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loadtest.report import picks
from loadtest.report.contents import Section
from loadtest.report.figures import ms, pictures, rate, share, usd
from loadtest.results.summary import CostComparison, Latency, Phase, Where
from loadtest.results.throughput import MOST_ERRORS

SHARED = (
    "Here all instances share one machine's processors; on AWS every instance of a function has its own, so these "
    "figures do not show which platform is better at bursts."
)
FASTER = 1.25  # Times; a smaller difference is not called faster.
MOST_STEPS = 3  # Changes of the cheapest platform that fit into a sentence.


@dataclass(frozen=True)
class Sentence:
    """One sentence of the summary, and its topic in a word or two."""

    topic: str
    text: str


def answer(section: Section) -> list[Sentence]:
    """One to five sentences on one model in one place: price, users, warm, cold and rate, as far as they are known."""
    if section.runs and all(run.all is None for run in section.runs):
        return [Sentence("No answer", "No request of any run was answered; the errors are listed with the runs below.")]
    about = [
        ("Price", _price(section.costs)),
        ("Many users", _users(picks.most_users(section.runs), section.where)),
        ("Warm", _warm(section)),
        ("Cold", _cold(section)),
        ("Highest throughput", _rate(section)),
    ]
    found = [Sentence(topic, text) for topic, text in about if text]
    if not section.costs:
        found.append(Sentence("Price", "No costs were computed for these runs, so there is no break-even."))
    return found


def _price(costs: list[CostComparison]) -> str:
    for cost in costs:
        steps = picks.cheapest(cost)
        if len(cost.usd_per_month) > 1 and steps:
            return _cheapest(cost, steps)
        if cost.options:
            only = cost.options[0]
            return (
                f"{only.label} costs {usd(only.usd_per_1000)} per 1,000 pictures plus {usd(only.fixed_usd_per_month)} "
                "a month; no other platform was priced, so there is no break-even."
            )
    return ""


def _cheapest(cost: CostComparison, steps: list[tuple[str, int | None]]) -> str:
    first, until = steps[0]
    if until is None:
        bills = {label: line[-1] for label, line in cost.usd_per_month.items() if label != first}
        next_best = min(bills, key=bills.__getitem__)
        return (
            f"{first} is the cheapest at every volume up to {pictures(cost.pictures_per_month[-1])} pictures a month: "
            f"at that volume it costs {usd(cost.usd_per_month[first][-1])} and {next_best} {usd(bills[next_best])}."
        )
    if len(steps) > MOST_STEPS:
        last = next(volume for _, volume in reversed(steps) if volume)
        return (
            f"Up to {pictures(until)} pictures a month {first} is the cheapest{_both(cost, steps, 0)}, above "
            f"{pictures(last)} {steps[-1][0]}; in between the cheapest changes with every additional instance."
        )
    parts = [f"Up to {pictures(until)} pictures a month {first} is the cheapest{_both(cost, steps, 0)}"]
    for i, (label, end) in enumerate(steps[1:], 1):
        parts.append(f"from there to {pictures(end)} {label}{_both(cost, steps, i)}" if end else f"above that {label}")
    return f"{', '.join(parts)}."


def _both(cost: CostComparison, steps: list[tuple[str, int | None]], i: int) -> str:
    for even in cost.break_evens:
        if even.pictures_per_month == steps[i][1] and even.usd_per_month is not None:
            return f" (at that volume both cost {usd(even.usd_per_month)} a month)"
    return ""


def _users(phases: dict[str, Phase], where: Where) -> str:
    latencies = {label: phase.latency for label, phase in phases.items() if phase.latency}
    if not latencies:
        return ""
    few = any(_few(latency) for latency in latencies.values())
    times = {label: latency.max if few else latency.p95.value for label, latency in latencies.items()}
    ordered = sorted(times, key=times.__getitem__)
    users = phases[ordered[0]].users
    text = f"With {users} simultaneous user{'s' * (users != 1)} "
    if few:
        said = [f"{ms(times[label])} ms on {label}{_failing(phases[label])}" for label in ordered]
        text += f"the longest answer takes {listed(said)}"
    else:
        within = {label: f"within {ms(times[label])} ms{_failing(phases[label])}" for label in ordered}
        within[ordered[0]] = f"answers 95% of its requests {within[ordered[0]]}"
        text += listed(f"{label} {said}" for label, said in within.items())
    if len(times) < 2:
        return f"{text}."
    if where == "local":
        return f"{text}. {SHARED}"
    apart = times[ordered[-1]] / times[ordered[0]]
    if apart < FASTER:
        return f"{text}, so bursts do not decide between them."
    return f"{text}, so for bursts {ordered[0]} is {rate(apart)} times as fast."


def _failing(phase: Phase) -> str:
    bad = phase.errors / max(1, phase.requests) > MOST_ERRORS
    return f" ({share(phase.errors, phase.requests)} failed)" if bad else ""


def _warm(section: Section) -> str:
    chosen = [(run, run.warm) for run in picks.like_for_like(section.runs) if run.warm]
    if not chosen:
        known = any(run.knows_cold for run in section.runs)
        return "No warm answer was measured." if known else "Which answers are cold or warm was not recorded."
    said = listed(f"{ms(w.p50.value)} ms on {run.run.label} ({_tail(w)} ms)" for run, w in chosen)
    return f"The median of warm answers is {said}, in profile {chosen[0][0].run.profile}."


def _cold(section: Section) -> str:
    chosen = picks.coldest(section.runs)
    cold = {label: run.cold for label, run in chosen.items() if run and run.cold}
    none = listed(label for label, run in chosen.items() if run is None)
    if not cold:
        return f"No cold start occurred on {none}." if none else ""
    said = listed(f"{ms(found.p50.value)} ms on {label} ({_counted(found)})" for label, found in cold.items())
    return f"The median of cold starts is {said}{f'; none occurred on {none}' if none else ''}."


def _counted(latency: Latency) -> str:
    if latency.count == 1:
        return "a single one"
    return f"{latency.count:,} cold starts, {_tail(latency)} ms"


def _tail(latency: Latency) -> str:
    return f"longest {ms(latency.max)}" if _few(latency) else f"p95 {ms(latency.p95.value)}"


def _few(latency: Latency) -> bool:
    return "p95" in latency.too_few


def _rate(section: Section) -> str:
    best = sorted(picks.highest_rate(section.runs).items(), key=lambda item: -item[1].per_s)
    if not best:
        return ""
    said = listed(f"{rate(found.per_s)} per second by {label} ({found.load})" for label, found in best)
    return f"The highest throughput with less than {MOST_ERRORS:.0%} of errors was {said}."


def listed(parts: Iterable[str]) -> str:
    """Join parts as in a sentence: a, b and c; an empty text for no parts."""
    *most, last = list(parts) or [""]
    return f"{', '.join(most)} and {last}" if most else last
