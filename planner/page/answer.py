"""The decision of a plan in a few sentences."""

from __future__ import annotations

from loadtest.report.answer import Sentence, listed
from loadtest.report.figures import significant
from planner.page.contents import names, objective
from planner.page.figures import monthly, seconds, share, usd
from planner.plan.types import Outcome, Plan, Turn


def answer(plan: Plan) -> list[Sentence]:
    """The decision first, then the runner-up and what would change the decision."""
    about = [
        ("Decision", _decision(plan)),
        ("Runner-up", _runner_up(plan)),
        ("Without a price", _unpriced(plan)),
        ("Another winner", _others(plan)),
        ("No winner", _nothing(plan)),
        ("Same winner", _same(plan)),
        ("Close", _close(plan)),
    ]
    return [Sentence(topic, text) for topic, text in about if text]


def cautions(plan: Plan) -> list[str]:
    """Reasons to trust a plan less."""
    found = []
    if plan.measured.where == "local":
        found.append(
            f"The times come from local stand-ins on {names(plan.measured.machines)}, not from AWS; how each platform "
            "scales comes from rules."
        )
    if not plan.complete:
        found.append(
            "The search was interrupted: some configurations are missing, and one of them may be cheaper than these."
        )
    if plan.seeds == 1:
        found.append("Each configuration was simulated once, so the ranges do not show how much chance matters.")
    return [*found, *plan.warnings]


def _decision(plan: Plan) -> str:
    best, wanted = plan.best, objective(plan.objective)
    if not plan.outcomes:
        return "No configuration was simulated, so there is no decision."
    if best:
        return f"{_rank(plan, best)} {wanted}: it costs {monthly(best.figures.usd)}, {_figures(best)}."
    first = plan.outcomes[0]
    if first.meets:
        return (
            f"{first.label} meets {wanted}, but no configuration that meets it has a price, so the cheapest is "
            f"unknown. For {first.label}, {_figures(first)}."
        )
    price = f"costs {monthly(first.figures.usd)}" if first.figures.usd else "has no price"
    return (
        f"None of {_counted(len(plan.outcomes))} meets {wanted}. {first.label} is the nearest and misses "
        f"{listed(first.misses)}: it {price}, {_figures(first)}."
    )


def _rank(plan: Plan, best: Outcome) -> str:
    meeting, every = sum(outcome.meets for outcome in plan.outcomes), len(plan.outcomes)
    if every == 1:
        return f"{best.label} is the only configuration that was simulated, and it meets"
    if meeting == 1:
        return f"{best.label} is the only one of {_counted(every)} that meets"
    return f"{best.label} is the cheapest of the {meeting:,} configurations, out of {every:,}, that meet"


def _counted(count: int) -> str:
    return f"{count:,} configuration{'s' * (count != 1)}"


def _figures(outcome: Outcome) -> str:
    found = outcome.figures
    fail = f"{share(found.errors)} fail" if found.errors.high != 0 else "none fails"
    return (
        f"its p50 is {seconds(found.p50_s)}, p95 {seconds(found.p95_s)} and p99 {seconds(found.p99_s)}, "
        f"{share(found.cold)} of the requests meet a cold start and {fail}"
    )


def _runner_up(plan: Plan) -> str:
    best, second = plan.best, plan.runner_up
    if not best or not best.figures.usd:
        return ""
    if second and second.figures.usd:
        first, other = best.figures.usd, second.figures.usd
        times = f", {significant(other.value / first.value)} times as much" if first.value else ""
        close = " The two ranges overlap, so chance may decide." if other.low <= first.high else ""
        return (
            f"{second.label} is the cheapest on another platform. It costs {monthly(other)}: "
            f"{usd(other.value - first.value)} more{times}. Its p95 is {seconds(second.figures.p95_s)}.{close}"
        )
    elsewhere = [outcome for outcome in plan.outcomes if outcome.platform != best.platform]
    if not elsewhere:
        return f"All configurations are on {best.platform}, so no other platform is compared."
    if any(outcome.meets for outcome in elsewhere):
        return "No configuration on another platform that meets the objective has a price."
    nearest = elsewhere[0]
    return (
        f"No configuration on another platform meets the objective. {nearest.label} is the nearest and misses "
        f"{listed(nearest.misses)}."
    )


def _unpriced(plan: Plan) -> str:
    labels = [outcome.label for outcome in plan.outcomes if outcome.meets and not outcome.figures.usd]
    if not plan.best or not labels:
        return ""
    return f"{names(labels)} meet{'s' * (len(labels) == 1)} the objective too, but the price is unknown."


def _others(plan: Plan) -> str:
    now = plan.best.label if plan.best else None
    winners: dict[str, list[Turn]] = {}
    for turn in plan.turns:
        if turn.winner and turn.winner != now:
            winners.setdefault(turn.winner, []).append(turn)
    said = "; ".join(f"{winner} with {listed([one.change for one in turns])}" for winner, turns in winners.items())
    if not plan.turns:
        return "No change of an assumption was simulated." if plan.outcomes else ""
    if said:
        return f"Another configuration is the cheapest that meets the objective after these changes: {said}."
    return "None of the simulated changes makes another configuration the cheapest." if now else ""


def _nothing(plan: Plan) -> str:
    lost = [turn.change for turn in plan.turns if turn.winner is None]
    if not lost:
        return ""
    return f"No configuration meets the objective with {listed(lost)}."


def _same(plan: Plan) -> str:
    kept = [turn.change for turn in plan.turns if plan.best and turn.winner == plan.best.label]
    return f"{plan.best.label} stays the cheapest with {listed(kept)}." if plan.best and kept else ""


def _close(plan: Plan) -> str:
    close = [turn.change for turn in plan.turns if turn.close]
    return f"Chance may decide between platforms, because their ranges overlap, with {listed(close)}." if close else ""
