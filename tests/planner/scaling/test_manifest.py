"""The rules in an HPA's manifest, with the API server's defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from planner.errors import RulesError
from planner.scaling.manifest import read_hpa
from planner.scaling.rules import SCALE_DOWN, SCALE_UP, Behavior, Direction, HpaRules, Policy

HEAD = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec:\n  maxReplicas: 9\n"
METRICS = """
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}
"""

READ = {
    "the API server's defaults": (HEAD, HpaRules(min_replicas=1, max_replicas=9, target_percent=80)),
    "a target and bounds": (
        HEAD + "  minReplicas: 3" + METRICS,
        HpaRules(min_replicas=3, max_replicas=9, target_percent=60),
    ),
    "an empty behavior is filled": (
        HEAD + "  behavior: {}",
        HpaRules(max_replicas=9, target_percent=80, behavior=Behavior(up=SCALE_UP, down=SCALE_DOWN)),
    ),
    "what a direction leaves out is filled, and policies are replaced": (
        HEAD + "  behavior: {scaleUp: {selectPolicy: Min, policies: [{type: Pods, value: 1, periodSeconds: 30}]}}",
        HpaRules(
            max_replicas=9,
            target_percent=80,
            behavior=Behavior(
                up=Direction(policies=(Policy(type="Pods", value=1, period_s=30),), select="Min", stabilization_s=0)
            ),
        ),
    ),
}


@pytest.mark.parametrize(("text", "expected"), READ.values(), ids=READ)
def test_a_manifest_is_read_with_its_defaults(text: str, expected: HpaRules, tmp_path: Path) -> None:
    file = tmp_path / "hpa.yaml"
    file.write_text(text)
    assert read_hpa(file) == expected


WRONG = {
    "is not YAML": "a: [",
    "is not a HorizontalPodAutoscaler": "kind: Deployment",
    "apiVersion is 'autoscaling/v1', and autoscaling/v2 is needed": HEAD.replace("v2", "v1"),
    "spec must be a mapping": "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec: 3",
    "max_replicas: Input should be less than or equal to 10000": HEAD.replace("9", "99999"),
    "spec.metrics must be one metric of type Resource": HEAD + "  metrics: [{type: External}]",
    "spec.metrics must be the Utilization of cpu": HEAD + METRICS.replace("cpu", "memory"),
    "spec.behavior.scaleUp.tolerance is not simulated": HEAD + "  behavior: {scaleUp: {tolerance: 0.2}}",
    "spec.behavior.scaleDown must be a mapping": HEAD + "  behavior: {scaleDown: [1]}",
    "behavior.up.policies.0.period_s": HEAD + "  behavior: {scaleUp: {policies: [{type: Pods, value: 1}]}}",
}


@pytest.mark.parametrize(("message", "text"), WRONG.items(), ids=list(WRONG))
def test_a_wrong_manifest_is_refused_in_one_line(message: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "hpa.yaml"
    file.write_text(text)
    with pytest.raises(RulesError, match=re.escape(message)) as caught:
        read_hpa(file)
    assert "\n" not in str(caught.value)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"none.yaml cannot be read"):
        read_hpa(tmp_path / "none.yaml")
