"""The four functions that bentoctl asks of an operator, for AWS Lambda."""

from __future__ import annotations

from typing import Any

from yolov7_operators import create_deployable, create_repository, delete_repository, generator

__all__ = ["create_deployable", "create_repository", "delete_repository", "generate"]


def _check(spec: dict[str, Any]) -> str | None:
    if spec.get("authorizer") == "JWT" and not (spec.get("jwt_issuer") and spec.get("jwt_audience")):
        return "authorizer JWT needs jwt_issuer and jwt_audience: name both in the spec"
    if spec.get("snap_start") and spec.get("provisioned_concurrency"):
        return "snap_start and provisioned_concurrency exclude each other: choose one in the spec"
    return None


generate = generator("lambda", _check)
