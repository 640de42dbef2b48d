"""The contents of a report and its sections: different places and models never share a table or a chart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.platforms.registry import PLATFORMS
from loadtest.results.summary import CostComparison, Skipped, Summary, Where

TITLE = "YOLOv7 under load"
PLACES: dict[Where, str] = {"aws": "AWS", "local": "local stand-in, not AWS"}
LOCAL_CAUTION = (
    "Local stand-ins on one machine, not AWS: they show how the two ways of serving behave, not the response times on "
    "AWS's processors and network."
)


@dataclass(frozen=True)
class Report:
    """Everything that a report shows."""

    runs: Sequence[Summary]
    skipped: Sequence[Skipped]
    costs: Sequence[CostComparison]


@dataclass(frozen=True)
class Section:
    """The runs of one model in one place, in the order of all tables and charts."""

    number: int
    where: Where
    model: str
    runs: list[Summary]
    costs: list[CostComparison]

    @property
    def place(self) -> str:
        """The name of the place."""
        return PLACES[self.where]

    @property
    def profiles(self) -> dict[str, list[Summary]]:
        """The runs by profile."""
        names = dict.fromkeys(run.run.profile for run in self.runs)
        return {name: [run for run in self.runs if run.run.profile == name] for name in names}

    @property
    def cautions(self) -> list[str]:
        """Reasons why the runs of this section are hard to compare."""
        found = [LOCAL_CAUTION] if self.where == "local" else []
        for word, values in (
            ("commits", {run.run.commit for run in self.runs}),
            ("images", {run.run.image for run in self.runs}),
            ("load generators", {run.run.machine for run in self.runs}),
        ):
            if len(values) > 1:
                found.append(f"These runs have {len(values)} different {word}: {', '.join(sorted(values))}.")
        return found


def sections(report: Report) -> list[Section]:
    """A section per place and model, AWS first."""
    keys = {(run.run.where, run.run.model) for run in report.runs} | {(c.where, c.model) for c in report.costs}
    return [
        Section(
            number,
            where,
            model,
            sorted((r for r in report.runs if (r.run.where, r.run.model) == (where, model)), key=_order),
            [cost for cost in report.costs if (cost.where, cost.model) == (where, model)],
        )
        for number, (where, model) in enumerate(sorted(keys), 1)
    ]


def series(report: Report) -> list[str]:
    """All labels of the report in one order, which gives each the same colour and shape in every chart."""
    platforms = {option.label: option.platform for cost in report.costs for option in cost.options}
    platforms |= {run.run.label: run.run.platform for run in report.runs}
    return sorted(platforms, key=lambda label: (PLATFORMS[platforms[label]].position, natural(without_place(label))))


def without_place(label: str) -> str:
    """A label without the word that marks a stand-in."""
    return label.removeprefix("local ")


def natural(text: str) -> list[tuple[int, str]]:
    """A sorting key that puts 512 before 3000."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def _order(run: Summary) -> tuple[str, int, list[tuple[int, str]], str, str]:
    info = run.run
    return info.profile, PLATFORMS[info.platform].position, natural(info.label), info.started, info.name
