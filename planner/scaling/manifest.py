"""The rules in an HPA's manifest, with the defaults that the API server fills in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from loadtest.errors import first_problem
from planner.errors import RulesError
from planner.scaling.rules import SCALE_DOWN, SCALE_UP, Direction, HpaRules

MOST_BYTES = 1_000_000
# The HPA's default target, of pkg/apis/autoscaling/types.go: DefaultCPUUtilization.
DEFAULT_TARGET_PERCENT = 80
_NAMES = {"stabilizationWindowSeconds": "stabilization_s", "selectPolicy": "select", "policies": "policies"}


def read_hpa(file: Path) -> HpaRules:
    """Read an autoscaling/v2 HorizontalPodAutoscaler that scales on the utilization of CPU; raises RulesError."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise RulesError(f"{file} has more than {MOST_BYTES // 1_000_000} MB: a manifest is a page at most")
        manifest = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError) as exc:
        raise RulesError(f"{file} cannot be read: {exc}") from None
    except yaml.YAMLError as exc:
        raise RulesError(f"{file} is not YAML: {' '.join(str(exc).split())}") from None
    if not isinstance(manifest, dict) or manifest.get("kind") != "HorizontalPodAutoscaler":
        raise RulesError(f"{file} is not a HorizontalPodAutoscaler: name the manifest of the HPA")
    if manifest.get("apiVersion") != "autoscaling/v2":
        raise RulesError(f"{file}: apiVersion is {manifest.get('apiVersion')!r}, and autoscaling/v2 is needed")
    try:
        return _rules(_mapping(manifest.get("spec"), "spec"))
    except ValidationError as exc:
        raise RulesError(f"{file}: {first_problem(exc)}") from None
    except ValueError as exc:
        raise RulesError(f"{file}: {exc}") from None


def _rules(spec: Mapping[str, Any]) -> HpaRules:
    given: dict[str, Any] = {"max_replicas": spec.get("maxReplicas"), "target_percent": _target_percent(spec)}
    if spec.get("minReplicas") is not None:
        given["min_replicas"] = spec["minReplicas"]
    if spec.get("behavior") is not None:
        behavior = _mapping(spec["behavior"], "spec.behavior")
        given["behavior"] = {
            "up": _direction(behavior.get("scaleUp"), SCALE_UP, "scaleUp"),
            "down": _direction(behavior.get("scaleDown"), SCALE_DOWN, "scaleDown"),
        }
    return HpaRules.model_validate(given)


def _target_percent(spec: Mapping[str, Any]) -> Any:
    metrics = spec.get("metrics") or []
    if not metrics:
        return DEFAULT_TARGET_PERCENT
    found = [metric for metric in metrics if isinstance(metric, dict)]
    if len(metrics) != 1 or len(found) != 1 or found[0].get("type") != "Resource":
        raise ValueError("spec.metrics must be one metric of type Resource: no others are simulated")
    resource = _mapping(found[0].get("resource"), "spec.metrics.resource")
    target = _mapping(resource.get("target"), "spec.metrics.resource.target")
    if resource.get("name") != "cpu" or target.get("type") != "Utilization":
        raise ValueError("spec.metrics must be the Utilization of cpu: no others are simulated")
    return target.get("averageUtilization")


def _direction(given: Any, default: Direction, name: str) -> dict[str, Any]:
    rules = default.model_dump()
    for key, value in _mapping(given if given is not None else {}, f"spec.behavior.{name}").items():
        if key not in _NAMES:
            raise ValueError(f"spec.behavior.{name}.{key} is not simulated: take one of {', '.join(_NAMES)}")
        if value is not None:
            rules[_NAMES[key]] = [_policy(one, name) for one in value] if key == "policies" else value
    return rules


def _policy(given: Any, name: str) -> dict[str, Any]:
    policy = dict(_mapping(given, f"spec.behavior.{name}.policies"))
    policy["period_s"] = policy.pop("periodSeconds", None)
    return policy


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a mapping, not {str(value)[:100]!r}")
    return value
