"""What a page shows of a plan: its platforms, and the configurations that its charts draw."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loadtest.platforms.registry import PLATFORMS
from planner.plan.types import Outcome, Plan

MOST_PLATFORMS = 8  # Platforms in one chart.
MOST_CURVES = 8  # Configurations in the chart of costs by volume.
FIRST = 12  # Configurations that are not folded up.
MOST_ROWS = 400  # Configurations in the table, so that the page stays below 2 MB.

_LIMIT = re.compile(r"\bp95\s*<=?\s*(\d+(?:\.\d+)?)\s*(ms|s)?\b")


def platforms(plan: Plan) -> list[str]:
    """The titles of all platforms in the order of the load test's report, unknown ones last."""
    known = {platform.title: position for position, platform in enumerate(PLATFORMS.values())}
    found = [outcome.platform for outcome in plan.outcomes]
    if plan.heat_map:
        found += [title for line in plan.heat_map.platform for title in line if title]
    return sorted(dict.fromkeys(found), key=lambda title: known.get(title, len(known)))


def best_of_platforms(plan: Plan) -> list[Outcome]:
    """The best configuration of each platform, the best platform first."""
    found: dict[str, Outcome] = {}
    for outcome in plan.outcomes:
        found.setdefault(outcome.platform, outcome)
    return list(found.values())[:MOST_PLATFORMS]


def curves(plan: Plan) -> list[str]:
    """The configurations whose costs are drawn: the best of each platform, then the cheapest of each volume."""
    curve = plan.cost_curve
    if curve is None:
        return []
    labels = [outcome.label for outcome in best_of_platforms(plan)]
    for i in range(len(curve.pictures_per_month)):
        bills = {label: line[i] for label, line in curve.usd.items() if curve.meets[label][i]}
        labels += [min(bills, key=bills.__getitem__)] if bills else []
    known = {outcome.label for outcome in plan.outcomes} & set(curve.usd)
    return [label for label in dict.fromkeys(labels) if label in known][:MOST_CURVES]


def first_and_rest(plan: Plan) -> tuple[list[Outcome], list[Outcome]]:
    """The configurations that are shown at once, with the runner-up among them, and at most MOST_ROWS in all."""
    first = list(plan.outcomes[:FIRST])
    if plan.runner_up and plan.runner_up not in first:
        first[-1] = plan.runner_up
    shown = {outcome.label for outcome in first}
    rest = [outcome for outcome in plan.outcomes if outcome.label not in shown]
    return first, rest[: MOST_ROWS - len(first)]


def limit_s(objective: str) -> float | None:
    """The limit of p95 in seconds, None if the objective has none."""
    found = _LIMIT.search(objective)
    return float(found[1]) / (1000 if found[2] == "ms" else 1) if found else None


def objective(text: str) -> str:
    """An objective as in a sentence: "p95<=2s,errors<=0.1%" becomes "p95 ≤ 2 s and errors ≤ 0.1%"."""
    spaced = (re.sub(r"\s*<=\s*", " ≤ ", part.strip()) for part in text.split(","))
    return " and ".join(re.sub(r"(\d)(ms|s)\b", r"\1 \2", part) for part in spaced if part)


def settings(outcome: Outcome) -> str:
    """The settings of a configuration on one line."""
    return ", ".join(f"{name} {value}" for name, value in outcome.settings.items())


def names(parts: Sequence[str], most: int = 3) -> str:
    """Some names on one line, and how many more there are."""
    more = f" and {len(parts) - most} more" if len(parts) > most else ""
    return ", ".join(parts[:most]) + more
