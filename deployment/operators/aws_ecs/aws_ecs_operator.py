"""The four functions of a bentoctl operator, for Amazon ECS."""

from __future__ import annotations

import re
from typing import Any

from yolov7_operators import create_deployable, create_repository, delete_repository, generator

__all__ = ["create_deployable", "create_repository", "delete_repository", "generate"]


# Graviton processors have a g after the generation; a1 is older. The module has the same rule.
ARM64 = re.compile(r"(a1|[a-z]+[0-9]+g[a-z]*)[.-]")


def _check(spec: dict[str, Any]) -> str | None:
    """The first fault of a spec; where a field is left to the module's default, Terraform judges."""
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
    result, trigger = spec.get("result_prefix", ""), spec.get("trigger_prefix", "")
    overlap = result.startswith(trigger) or trigger.startswith(result)
    if spec.get("queue") and spec["input_bucket"] == spec["output_bucket"] and overlap:
        return (
            "queue with one bucket for pictures and results needs a trigger_prefix and result_prefix of which neither "
            "begins with the other, e.g. pictures/ and annotated/"
        )
    return None


generate = generator("ecs", _check)
