"""Kubernetes: the user's cluster; its costs are unknown."""

from loadtest.platforms.base import Platform
from loadtest.platforms.settings import Settings

PLATFORM = Platform(name="kubernetes", title="Kubernetes", position=4, settings=Settings)
