"""The costs assume the defaults of deployment/terraform: these tests compare both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.cost.tariff import MAX_INSTANCES, MIN_INSTANCES, TARGET_BUSY
from loadtest.platforms.registry import PLATFORMS
from tests.deployment.terraform_files import read_folder, unquote

TERRAFORM = Path(__file__).parents[3] / "deployment" / "terraform"


def default(folder: str, name: str) -> Any:
    """The default of a variable of Terraform."""
    (body,) = [
        block.body
        for block in read_folder(TERRAFORM / folder)
        if (block.kind, block.labels) == ("variable", (name,))
    ]  # fmt: skip
    value = body["default"]
    return unquote(value) if isinstance(value, str) else value


def test_auto_scaling_has_the_limits_of_terraform() -> None:
    assert default("ecs", "target_cpu_percent") == TARGET_BUSY * 100
    assert default("ecs", "min_tasks") == default("ecs", "min_instances") == MIN_INSTANCES
    assert default("ecs", "max_tasks") == default("ecs", "max_instances") == MAX_INSTANCES


@pytest.mark.parametrize(
    ("platform", "setting", "folder", "variable"),
    [
        ("lambda", "memory_mb", "lambda", "memory_size"),
        ("lambda", "architecture", "lambda", "architecture"),
        ("lambda", "provisioned_concurrency", "lambda", "provisioned_concurrency"),
        ("ecs", "instance_type", "ecs", "instance_type"),
        ("fargate", "architecture", "ecs", "architecture"),
    ],
)
def test_a_setting_has_the_default_of_its_variable(platform: str, setting: str, folder: str, variable: str) -> None:
    assert getattr(PLATFORMS[platform].settings(), setting) == default(folder, variable)


def test_a_fargate_task_has_the_size_that_terraform_gives_it() -> None:
    # The variables are null by default; the module's locals choose by launch type.
    code = (TERRAFORM / "ecs" / "main.tf").read_text()
    units, mib = (
        re.search(rf"coalesce\(var\.{name}, local\.on_ec2 \? [^:]+ : (\d+)\)", code) for name in ("cpu", "memory")
    )
    settings = PLATFORMS["fargate"].parse({})
    assert units and mib
    assert (int(units[1]) / 1024, int(mib[1])) == (settings.cpus, settings.task_memory_mb)
