"""The four functions that bentoctl asks of an operator, for Amazon ECS."""

from __future__ import annotations

from typing import Any

from yolov7_operators import create_deployable, create_repository, delete_repository, generator

__all__ = ["create_deployable", "create_repository", "delete_repository", "generate"]


def _check(spec: dict[str, Any]) -> str | None:
    for few, many in (("min_tasks", "max_tasks"), ("min_instances", "max_instances")):
        low, high = spec.get(few, 1), spec.get(many, 5)
        if low > high:
            return f"{few} {low} is above {many} {high}: correct one of them in the spec"
    return None


generate = generator("ecs", _check)
