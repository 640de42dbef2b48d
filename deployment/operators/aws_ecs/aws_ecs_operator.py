"""The four functions that bentoctl asks of an operator, for Amazon ECS."""

from __future__ import annotations

from typing import Any

from yolov7_operators import create_deployable, create_repository, delete_repository, generator

__all__ = ["create_deployable", "create_repository", "delete_repository", "generate"]


def _check(spec: dict[str, Any]) -> str | None:
    for few, many in (("min_tasks", "max_tasks"), ("min_instances", "max_instances")):
        # Where one of them is the module's default, Terraform compares.
        if few in spec and many in spec and spec[few] > spec[many]:
            return f"{few} {spec[few]} is above {many} {spec[many]}: correct one of them in the spec"
    return None


generate = generator("ecs", _check)
