"""Faults of a deployment's config that concern several fields; Terraform judges fields left to its defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Graviton processors have a g after the generation; a1 is older. The module has the same rule.
ARM64 = re.compile(r"(a1|[a-z]+[0-9]+g[a-z]*)[.-]")


def lambda_fault(spec: Mapping[str, Any]) -> str | None:
    """The first fault of a spec for AWS Lambda, or None."""
    if spec.get("authorizer") == "JWT" and not (spec.get("jwt_issuer") and spec.get("jwt_audience")):
        return "authorizer JWT needs jwt_issuer and jwt_audience: name both in the spec"
    if spec.get("page") and spec.get("authorizer", "AWS_IAM") == "AWS_IAM":
        return "page needs authorizer JWT or NONE, because a browser cannot sign requests: name one in the spec"
    if spec.get("snap_start") and spec.get("provisioned_concurrency"):
        return "snap_start and provisioned_concurrency exclude each other: choose one in the spec"
    provisioned, reserved = spec.get("provisioned_concurrency", 0), spec.get("reserved_concurrency", -1)
    if -1 < reserved < provisioned:
        return f"provisioned_concurrency {provisioned} is above reserved_concurrency {reserved}: correct one of them"
    return _overlap("s3_trigger", spec)


def ecs_fault(spec: Mapping[str, Any]) -> str | None:
    """The first fault of a spec for ECS, or None."""
    for few, many in (("min_tasks", "max_tasks"), ("min_workers", "max_workers"), ("min_instances", "max_instances")):
        if few in spec and many in spec and spec[few] > spec[many]:
            return f"{few} {spec[few]} is above {many} {spec[many]}: correct one of them in the spec"
    instance, wanted = spec.get("instance_type"), spec["architecture"]
    processor = "arm64" if ARM64.match(instance or "") else "x86_64"
    if instance and spec.get("launch_type") != "FARGATE" and processor != wanted:
        return f"instance_type {instance} has an {processor} processor, architecture is {wanted}: correct one of them"
    if spec.get("internet_facing") and not (spec.get("certificate_arn") or spec.get("allow_plain_http")):
        return "internet_facing needs certificate_arn, or allow_plain_http: true: set one of them in the spec"
    if spec.get("internet_facing") and not spec.get("allowed_cidrs"):
        return (
            'internet_facing needs allowed_cidrs in the spec: the ranges that may call, or ["0.0.0.0/0"] for everybody'
        )
    return _overlap("queue", spec)


def _overlap(trigger: str, spec: Mapping[str, Any]) -> str | None:
    """The fault of a trigger by new objects that would also be triggered by its own results."""
    results, pictures = spec.get("result_prefix", ""), spec.get("trigger_prefix", "")
    overlap = results.startswith(pictures) or pictures.startswith(results)
    if spec.get(trigger) and spec["input_bucket"] == spec["output_bucket"] and overlap:
        return (
            f"{trigger} with one bucket for pictures and results needs a trigger_prefix and result_prefix of which "
            "neither begins with the other, e.g. pictures/ and annotated/"
        )
    return None


FAULTS = {"lambda": lambda_fault, "ecs": ecs_fault}
