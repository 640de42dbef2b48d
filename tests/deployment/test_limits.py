"""Limits are stated twice, in the operators' schemas and in the Terraform modules: the values must be the same."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from local.checkout import ROOT

DEPLOYMENT = ROOT / "deployment"
PLATFORMS = {"aws_lambda": "lambda", "aws_ecs": "ecs"}


def schema(operator: str) -> dict[str, Any]:
    """The settings that an operator adds to those of both platforms; read as text, as importing it needs bentoctl."""
    tree = ast.parse((DEPLOYMENT / "operators" / operator / "operator_config.py").read_text())
    [found] = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "OPERATOR_SCHEMA"
    ]
    assert isinstance(found, ast.Dict)
    pairs = zip(found.keys, found.values, strict=True)
    return {ast.literal_eval(key): ast.literal_eval(value) for key, value in pairs if key is not None}


def limits_of_schema(operator: str) -> dict[str, tuple[float | None, float | None]]:
    return {
        name: (rule.get("min"), rule.get("max"))
        for name, rule in schema(operator).items()
        if rule["type"] in ("integer", "number")
    }


def limits_of_module(module: str) -> dict[str, tuple[float | None, float | None]]:
    """The smallest and the largest value that each variable's validation allows."""
    text = (DEPLOYMENT / "terraform" / module / "variables.tf").read_text()
    found = {}
    for name, block in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.M | re.S):
        least = re.findall(rf"var\.{name} >= (-?[\d.]+)", block)
        most = re.findall(rf"var\.{name} <= (-?[\d.]+)", block)
        if least or most:
            found[name] = (float(least[0]) if least else None, float(most[0]) if most else None)
    return found


@pytest.mark.parametrize("operator", PLATFORMS)
def test_an_operator_allows_what_its_module_allows(operator: str) -> None:
    module, allowed = limits_of_module(PLATFORMS[operator]), limits_of_schema(operator)
    assert {name: limits for name, limits in module.items() if name in allowed} == allowed


@pytest.mark.parametrize("name", ["memory_size", "timeout"])
def test_what_aws_wants_whole_is_whole(name: str) -> None:
    text = (DEPLOYMENT / "terraform" / "lambda" / "variables.tf").read_text()
    assert f"floor(var.{name}) == var.{name}" in text.partition(f'variable "{name}"')[2].partition("\n}")[0]
    assert schema("aws_lambda")[name]["type"] == "integer"
