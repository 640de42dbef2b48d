"""All platforms by their names, collected from the files of this folder."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_serializer, field_validator

from loadtest import platforms
from loadtest.platforms.base import Platform
from loadtest.platforms.settings import Settings


def _collect() -> dict[str, Platform[Any]]:
    names = [module.name for module in pkgutil.iter_modules(platforms.__path__) if module.name != "registry"]
    modules = [importlib.import_module(f"{platforms.__name__}.{name}") for name in names]
    found: list[Platform[Any]] = [module.PLATFORM for module in modules if hasattr(module, "PLATFORM")]
    return {platform.name: platform for platform in sorted(found, key=lambda platform: platform.position)}


PLATFORMS: dict[str, Platform[Any]] = _collect()


class OnPlatform(BaseModel):
    """The name of a platform and settings of that platform's type; both are validated."""

    model_config = ConfigDict(validate_default=True)

    platform: str
    settings: Settings = Settings()

    @field_validator("platform")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in PLATFORMS:
            raise ValueError(f"there is no platform {name!r}: take one of {', '.join(PLATFORMS)}")
        return name

    @field_validator("settings", mode="before")
    @classmethod
    def _are_of_the_platform(cls, value: object, info: ValidationInfo) -> Settings:
        given = value.given if isinstance(value, Settings) else value
        if not isinstance(given, dict):
            raise ValueError("settings must be a mapping of names to values")
        if "platform" not in info.data:  # It is wrong, and reported already.
            return Settings()
        settings: Settings = PLATFORMS[info.data["platform"]].parse(given)
        return settings

    @field_serializer("settings")
    def _as_given(self, settings: Settings) -> dict[str, Any]:
        return settings.given
