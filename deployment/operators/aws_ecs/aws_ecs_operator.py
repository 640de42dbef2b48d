"""The four functions of a bentoctl operator, for Amazon ECS."""

from __future__ import annotations

from yolov7_operators import create_deployable, create_repository, delete_repository, generator

__all__ = ["create_deployable", "create_repository", "delete_repository", "generate"]

generate = generator("ecs")
