"""The platform of samples that were recorded without `python -m loadtest`: it has a place, but no costs."""

from loadtest.platforms.base import Platform
from loadtest.platforms.settings import Settings

PLATFORM = Platform(name="unknown", title="unknown platform", position=99, settings=Settings)
