"""The four functions of a bentoctl operator, for AWS Lambda."""

from __future__ import annotations

from typing import Any

from yolov7_operators import create_deployable, create_repository, delete_repository, generator

__all__ = ["create_deployable", "create_repository", "delete_repository", "generate"]


def _check(spec: dict[str, Any]) -> str | None:
    """The first fault of a spec; where a field is left to the module's default, Terraform judges."""
    if spec.get("authorizer") == "JWT" and not (spec.get("jwt_issuer") and spec.get("jwt_audience")):
        return "authorizer JWT needs jwt_issuer and jwt_audience: name both in the spec"
    if spec.get("page") and spec.get("authorizer", "AWS_IAM") == "AWS_IAM":
        return "page needs authorizer JWT or NONE, because a browser cannot sign requests: name one in the spec"
    if spec.get("snap_start") and spec.get("provisioned_concurrency"):
        return "snap_start and provisioned_concurrency exclude each other: choose one in the spec"
    provisioned, reserved = spec.get("provisioned_concurrency", 0), spec.get("reserved_concurrency", -1)
    if -1 < reserved < provisioned:
        return f"provisioned_concurrency {provisioned} is above reserved_concurrency {reserved}: correct one of them"
    result, trigger = spec.get("result_prefix", ""), spec.get("trigger_prefix", "")
    overlap = result.startswith(trigger) or trigger.startswith(result)
    if spec.get("s3_trigger") and spec["input_bucket"] == spec["output_bucket"] and overlap:
        return (
            "s3_trigger with one bucket for pictures and results needs a trigger_prefix and result_prefix of which "
            "neither begins with the other, e.g. pictures/ and annotated/"
        )
    return None


generate = generator("lambda", _check)
