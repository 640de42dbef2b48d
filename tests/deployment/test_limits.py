"""Limits are in the operators' schemas and in the Terraform modules: both must have the same values."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from local.checkout import ROOT

DEPLOYMENT = ROOT / "deployment"
COMPARED = {"type", "min", "max", "allowed"}
PLATFORMS = {"aws_lambda": "lambda", "aws_ecs": "ecs"}


def schema(operator: str) -> dict[str, Any]:
    """The compared rules of an operator's fields, read as text because importing it needs bentoctl."""
    shared = _fields(DEPLOYMENT / "operators" / "yolov7_operators.py", "COMMON_SCHEMA")
    return shared | _fields(DEPLOYMENT / "operators" / operator / "operator_config.py", "OPERATOR_SCHEMA")


def _fields(file: Path, name: str) -> dict[str, Any]:
    """The fields of the schema of this name in a file."""
    [found] = [
        node.value
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in ast.unparse(node).partition("=")[0].split(":")[0]
    ]
    assert isinstance(found, ast.Dict)
    fields = {}
    for key, rule in zip(found.keys, found.values, strict=True):
        if key is not None:
            assert isinstance(rule, ast.Dict)
            pairs = zip(rule.keys, rule.values, strict=True)
            fields[ast.literal_eval(key)] = {
                name: ast.literal_eval(v) for k, v in pairs if k and (name := ast.literal_eval(k)) in COMPARED
            }
    return fields


def variables(module: str) -> dict[str, str]:
    """The text of each variable of a module."""
    text = "".join(file.read_text() for file in (DEPLOYMENT / "terraform" / module).glob("variables*.tf"))
    return dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.M | re.S))


def limits_of_schema(operator: str) -> dict[str, tuple[float | None, float | None]]:
    return {
        name: (rule.get("min"), rule.get("max"))
        for name, rule in schema(operator).items()
        if rule["type"] in ("integer", "number") and "allowed" not in rule
    }


def limits_of_module(module: str) -> dict[str, tuple[float | None, float | None]]:
    """The smallest and the largest value that each variable's validation allows."""
    found = {}
    for name, block in variables(module).items():
        least = re.findall(rf"var\.{name} >= (-?[\d.]+)", block)
        most = re.findall(rf"var\.{name} <= (-?[\d.]+)", block)
        if least or most:
            found[name] = (float(least[0]) if least else None, float(most[0]) if most else None)
    return found


@pytest.mark.parametrize("operator", PLATFORMS)
def test_an_operator_allows_what_its_module_allows(operator: str) -> None:
    module, allowed = limits_of_module(PLATFORMS[operator]), limits_of_schema(operator)
    assert {name: limits for name, limits in module.items() if name in allowed} == allowed


@pytest.mark.parametrize("operator", PLATFORMS)
def test_an_operator_allows_the_values_that_its_module_lists(operator: str) -> None:
    listed = {
        name: json.loads(found[1])
        for name, block in variables(PLATFORMS[operator]).items()
        if (found := re.search(rf"contains\((\[.*?\]), var\.{name}\)", block))
    }
    allowed = {name: rule["allowed"] for name, rule in schema(operator).items() if "allowed" in rule}
    assert {name: sorted(values) for name, values in allowed.items()} == {n: sorted(v) for n, v in listed.items()}
    assert "log_retention_days" in listed


@pytest.mark.parametrize("operator", PLATFORMS)
def test_what_an_operator_wants_whole_its_module_wants_whole(operator: str) -> None:
    blocks = variables(PLATFORMS[operator])
    whole = {n for n, rule in schema(operator).items() if rule["type"] == "integer" and "allowed" not in rule}
    assert len(whole) > 5
    assert whole == {name for name, block in blocks.items() if f"floor(var.{name}) == var.{name}" in block}
