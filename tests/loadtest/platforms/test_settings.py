"""The settings of each platform: types, defaults, and errors for unknown or wrong ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.cost.compare import with_settings
from loadtest.errors import SettingsError
from loadtest.platforms.registry import PLATFORMS
from tests.loadtest.cost.costing import summary

README = Path(__file__).parents[3] / "loadtest" / "README.md"


@pytest.mark.parametrize(
    ("platform", "given", "message"),
    [
        ("lambda", {"memroy_mb": 3000}, "lambda has no setting memroy_mb: the settings of lambda are region, note, "),
        ("ecs", {"memory_mb": 3000}, "ecs has no setting memory_mb: the settings of ecs are region, note, instances, "),
        ("kubernetes", {"cpus": 4}, "kubernetes has no setting cpus: the settings of kubernetes are region, note"),
        ("lambda", {"memory_mb": "much"}, "memory_mb: Input should be a valid integer, unable to parse string as an "),
        ("lambda", {"architecture": "mips"}, "architecture: Input should be 'x86_64' or 'arm64', not 'mips'"),
        ("lambda", {"provisioned_concurrency": -1}, "provisioned_concurrency: Input should be greater than or equal "),
        ("fargate", {"cpus": 0}, "cpus: Input should be greater than 0, not 0"),
        ("fargate", {"cpus": "inf"}, "cpus: Input should be a finite number, not 'inf'"),
        ("ecs", {"instances": "-1"}, "instances: Input should be greater than 0, not '-1'"),
    ],
)
def test_an_unknown_or_wrong_setting_is_one_line_with_the_known_ones(
    platform: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        PLATFORMS[platform].parse(given)
    error = str(caught.value)
    assert error.startswith(message) and "\n" not in error
    assert f"the settings of {platform} are {', '.join(PLATFORMS[platform].settings.model_fields)}" in error


def test_settings_are_typed_and_only_those_given_are_kept() -> None:
    settings = PLATFORMS["fargate"].parse({"cpus": "2", "task_memory_mb": "4096", "note": "7"})
    assert settings.given == {"cpus": 2, "task_memory_mb": 4096, "note": "7"}
    assert repr(settings.given["cpus"]) == "2"
    assert (settings.region, settings.instances) == ("us-east-1", 1)
    assert PLATFORMS["fargate"].parse({"cpus": 0.5}).given == {"cpus": 0.5}


def test_the_size_of_every_platform_is_one_of_its_settings() -> None:
    assert {platform.size for platform in PLATFORMS.values() if platform.size} == {"memory_mb", "instance_type", "cpus"}
    assert all(platform.size in ("", *platform.settings.model_fields) for platform in PLATFORMS.values())


def test_other_prices_change_only_the_platforms_that_have_the_setting() -> None:
    runs = [summary(), summary("ecs")]
    given = [run.run.settings.given for run in with_settings(runs, {"instance_type": "c6a.xlarge", "region": "x"})]
    assert given == [{"region": "x"}, {"instance_type": "c6a.xlarge", "region": "x"}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memroy_mb": "3000"}, "no platform of these runs has a setting memroy_mb: the settings of lambda are "),
        ({"cpus": "4"}, "no platform of these runs has a setting cpus: the settings of lambda are region, note, "),
        ({"memory_mb": "much"}, "memory_mb: Input should be a valid integer"),
    ],
)
def test_other_prices_with_an_unknown_or_wrong_setting_are_refused(changes: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        with_settings([summary(), summary("ecs")], changes)


def test_the_readme_names_every_setting() -> None:
    (row,) = [line for line in README.read_text().splitlines() if line.startswith("| `--setting ")]
    named = set(re.findall(r"`(\w+)`", row))
    assert named == {name for platform in PLATFORMS.values() for name in platform.settings.model_fields}
