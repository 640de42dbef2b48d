"""Settings of a platform, as a user gives them for a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from loadtest.errors import SettingsError

# A positive number that is written without a needless ".0".
Number = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    PlainSerializer(lambda number: int(number) if number.is_integer() else number),
]
Count = Annotated[int, Field(gt=0)]


class Settings(BaseModel):
    """Settings that every platform has; a platform adds its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str = "us-east-1"
    note: str = ""

    @property
    def given(self) -> dict[str, Any]:
        """The settings that were given, without the defaults."""
        return self.model_dump(exclude_unset=True)


class InstanceSettings(Settings):
    """Settings of instances or tasks behind a load balancer; `instances` is how many ran during the run."""

    instances: Count = 1


def read_pairs(given: Sequence[str]) -> dict[str, str]:
    """Settings given as NAME=VALUE; raises SettingsError."""
    pairs = [pair.partition("=") for pair in given]
    for name, sign, value in pairs:
        if not sign or not name:
            raise SettingsError(f"{name + sign + value} is not a setting: write NAME=VALUE")
    return {name: value for name, _, value in pairs}
