"""The configurations that a plan compares: functions, containers, and containers whose overflow goes to a function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planner.scaling.books import Book


@dataclass(frozen=True)
class FunctionCandidate:
    """A Lambda function behind an HTTP API, with so many provisioned instances, or restored from a snapshot."""

    memory_mb: int
    provisioned: int = 0
    snapstart: bool = False

    @property
    def platform(self) -> str:
        """The title of its platform."""
        return "Lambda"

    @property
    def label(self) -> str:
        """Its name, unique in a plan."""
        more = f", {self.provisioned} provisioned" if self.provisioned else ", SnapStart" if self.snapstart else ""
        return f"Lambda {self.memory_mb} MB{more}"

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that distinguish it."""
        return {
            "memory": f"{self.memory_mb} MB",
            "provisioned concurrency": str(self.provisioned),
            "SnapStart": "on" if self.snapstart else "off",
        }


@dataclass(frozen=True)
class ContainerCandidate:
    """Containers behind a load balancer, scaled by the rules of a book.

    `price_of` is the platform whose prices apply: ecs, eks or fargate; `size` is the instance type on ECS and EKS, the
    CPUs of a task on Fargate. A replica has room for `queue` requests, in work or waiting; None is the
    default of the service.
    """

    book: Book
    name: str
    platform: str
    price_of: str
    size: str
    queue: int | None = None
    spot: bool = False

    @property
    def label(self) -> str:
        """Its name, unique in a plan."""
        scaler = self.book.scaler
        spot = ", spot" if self.spot else ""
        return f"{self.name}, {scaler.min_replicas} to {scaler.max_replicas}{spot}"

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that distinguish it."""
        scaler = self.book.scaler
        found = {"replicas": f"{scaler.min_replicas} to {scaler.max_replicas}", "rules": self.book.title}
        if self.size:
            found["size"] = self.size
        if self.spot:
            found["instances"] = "spot"
        if hasattr(scaler, "target_percent"):
            found["CPU target"] = f"{scaler.target_percent:g}%"
        return found


@dataclass(frozen=True)
class HybridCandidate:
    """Containers for the base, and a function for the requests that would have to wait for too many others."""

    containers: ContainerCandidate
    function: FunctionCandidate

    @property
    def platform(self) -> str:
        """The title of its platform."""
        return "Hybrid"

    @property
    def label(self) -> str:
        """Its name, unique in a plan."""
        return f"{self.containers.label}, overflow to {self.function.label}"

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that distinguish it."""
        return {
            **self.containers.settings,
            **self.function.settings,
            "requests in a container at most": str(self.containers.queue),
        }


Candidate = FunctionCandidate | ContainerCandidate | HybridCandidate
