"""The platforms that load tests are run against, and the settings that a run on each of them may have.

A new platform is an entry here; `loadtest.cost.compare` says how it is priced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from loadtest.errors import ProfileError

Setting = str | int | float
Settings = dict[str, Setting]

_COMMON: Settings = {"region": "us-east-1", "architecture": "x86_64", "note": ""}


@dataclass(frozen=True)
class Platform:
    """A platform: its name on the command line, its title, and every setting with its default.

    `size` is the setting that tells one size of the platform from another, `unit` follows its value in labels.
    `sized_by_machine` says that a local stand-in has the size of this machine, whatever it is priced as. The defaults
    of sizes are those of deployment/terraform.
    """

    name: str
    title: str
    settings: Mapping[str, Setting]
    size: str | None = None
    unit: str = ""
    sized_by_machine: bool = True

    def label(self, settings: Mapping[str, Setting]) -> str:
        """The platform with its size, if the settings give one."""
        if self.size is None or self.size not in settings:
            return self.title
        return f"{self.title} {settings[self.size]}{self.unit}"

    def check(self, settings: Mapping[str, Setting]) -> None:
        """Raise ProfileError when a setting is not one of this platform, or is text where a number is needed."""
        for name, value in settings.items():
            if name not in self.settings:
                raise ProfileError(f"{self.title} has no setting {name}; it has {', '.join(self.settings)}")
            if isinstance(self.settings[name], int | float) and not isinstance(value, int | float):
                raise ProfileError(f"{name} of {self.title} must be a number, but is {value}")


LAMBDA = Platform(
    "lambda",
    "Lambda",
    {**_COMMON, "memory_mb": 3000, "provisioned_concurrency": 0, "concurrency": 18},
    size="memory_mb",
    unit=" MB",
    sized_by_machine=False,
)
ECS = Platform("ecs", "ECS", {**_COMMON, "instance_type": "t3a.xlarge", "instances": 1}, size="instance_type")
FARGATE = Platform(
    "fargate",
    "Fargate",
    {**_COMMON, "cpus": 4, "task_memory_mb": 8192, "instances": 1},
    size="cpus",
    unit=" CPUs",
)
KUBERNETES = Platform("kubernetes", "Kubernetes", {**_COMMON, "instances": 1})

PLATFORMS = {platform.name: platform for platform in (LAMBDA, ECS, FARGATE, KUBERNETES)}


def _known(name: str) -> str:
    if name not in PLATFORMS:
        raise ValueError(f"must be one of {', '.join(PLATFORMS)}")
    return name


PlatformName = Annotated[str, AfterValidator(_known)]
