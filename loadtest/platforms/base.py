"""The type of a platform: its names, its settings, its price and its local stand-in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError

from loadtest.cost.offers import Offer
from loadtest.cost.prices import Prices
from loadtest.errors import SettingsError, first_problem
from loadtest.platforms.settings import Settings
from loadtest.results.summary import Summary, Where

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, kw_only=True)
class Platform(Generic[S]):
    """A platform: `name` is its key in commands and records, `title` its name in tables and charts.

    Platforms are listed by rising `position`. `size` is the setting that distinguishes one size from another, and
    `unit` follows its value in labels. `price` computes the costs from all runs of one label and raises NoCost; without
    it the platform has no costs. `local_lambda` turns the settings into options of the local Lambda that stands in for
    the platform; without it the service stands in.
    """

    name: str
    title: str
    position: int
    settings: type[S]
    size: str = ""
    unit: str = ""
    price: Callable[[Sequence[Summary], Prices], Offer] | None = None
    local_lambda: Callable[[S], Mapping[str, object]] | None = None

    def parse(self, given: Mapping[str, object]) -> S:
        """Validate settings by their names; raises SettingsError for an unknown or a wrong one."""
        known = f"the settings of {self.name} are {', '.join(self.settings.model_fields)}"
        if unknown := [name for name in given if name not in self.settings.model_fields]:
            raise SettingsError(f"{self.name} has no setting {unknown[0]}: {known}")
        try:
            return self.settings.model_validate(given)
        except ValidationError as exc:
            raise SettingsError(f"{first_problem(exc)}; {known}") from None

    def label(self, settings: Settings, where: Where, machine: str) -> str:
        """The platform with its size, the same in every table and chart, e.g. "Lambda 3000 MB"."""
        given = settings.given
        size = f" {given[self.size]}{self.unit}" if self.size in given else ""
        note = f", {settings.note}" if settings.note else ""
        if where == "aws":
            return f"{self.title}{size}{note}"
        # The local service uses the whole machine, whatever instance it is priced as.
        size = size if self.local_lambda else f", {machine.partition(',')[0]}"
        return f"local {self.title}{size}{note}"
