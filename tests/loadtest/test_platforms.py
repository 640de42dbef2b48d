from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from loadtest import platforms
from loadtest.cli import main
from loadtest.cost import compare
from loadtest.cost.compare import compare_costs, with_settings
from loadtest.cost.options import MAX_INSTANCES, instance_curve, instance_option
from loadtest.cost.tariff import TARGET_BUSY
from loadtest.errors import ProfileError
from loadtest.platforms import ECS, FARGATE, LAMBDA, Platform
from loadtest.report.tables import to_markdown
from loadtest.runs import parse_target
from local.checkout import ROOT
from local.doors import TASK_CPUS, TASK_MEMORY_MB
from tests.loadtest.cost.costing import ROUND, summary
from tests.loadtest.results.jtl import record


@pytest.mark.parametrize(
    ("platform", "settings", "message"),
    [
        (LAMBDA, {"memroy_mb": 3000}, "Lambda has no setting memroy_mb; it has region, architecture, note, memory_mb"),
        (ECS, {"memory_mb": 3000}, "ECS has no setting memory_mb; it has "),
        (LAMBDA, {"memory_mb": "much"}, "memory_mb of Lambda must be a number, but is much"),
    ],
)
def test_an_unknown_or_wrong_setting_is_refused(platform: Platform, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=f"^{message}"):
        platform.check(settings)


def test_a_run_with_an_unknown_setting_does_not_begin(capsys: pytest.CaptureFixture[str]) -> None:
    target = ["--target", "http://127.0.0.1:9", "--platform", "lambda"]
    assert main(["run", "single", *target, "--setting", "memroy_mb=3000"]) == 1
    assert capsys.readouterr().err.startswith("error: Lambda has no setting memroy_mb; it has ")


def test_runs_are_priced_by_the_settings_that_their_platform_has() -> None:
    runs = with_settings([summary(), summary("ecs")], {"instance_type": "c6a.xlarge", "region": "us-east-1"})
    assert [run.run.settings for run in runs] == [
        {"region": "us-east-1"},
        {"instance_type": "c6a.xlarge", "region": "us-east-1"},
    ]


def test_a_setting_that_no_run_has_is_refused_when_runs_are_priced() -> None:
    with pytest.raises(ProfileError, match="Lambda has no setting cpus"):
        with_settings([summary()], {"cpus": 2})


def test_a_platform_is_one_entry_and_its_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up platform gets from a run's record to the report without any other change."""
    made_up = Platform("runner", "Runner", {**ECS.settings, "cpus": 4}, size="cpus", unit=" vCPUs")
    monkeypatch.setitem(platforms.PLATFORMS, "runner", made_up)
    monkeypatch.setitem(compare.PRICED, "runner", (instance_option, instance_curve))
    aws = record(target=parse_target("https://x.example.com"), platform="runner", settings={"cpus": 2})
    assert aws.label == "Runner 2 vCPUs"
    run = summary("runner", "Runner 2 vCPUs", settings={"cpus": 2})
    costs = compare_costs([summary(), run], ROUND, date(2026, 11, 22))
    assert [option.label for option in costs[0].options] == ["lambda", "Runner 2 vCPUs"]
    assert "Runner 2 vCPUs" in to_markdown([run], [], costs)


def terraform_default(module: str, variable: str) -> str:
    """The default of a variable of deployment/terraform."""
    text = (ROOT / "deployment" / "terraform" / module / "variables.tf").read_text()
    block = text.partition(f'variable "{variable}" {{')[2].partition("\n}")[0]
    return str(re.findall(r"^  default +=(.*)$", block, re.M)[0]).strip(' "')


def test_what_runs_are_taken_to_be_is_what_terraform_sets_up() -> None:
    assert LAMBDA.settings["memory_mb"] == int(terraform_default("lambda", "memory_size"))
    assert ECS.settings["instance_type"] == terraform_default("ecs", "instance_type")
    assert int(terraform_default("ecs", "target_cpu_percent")) / 100 == TARGET_BUSY
    assert int(terraform_default("ecs", "max_tasks")) == int(terraform_default("ecs", "max_instances")) == MAX_INSTANCES


def test_a_task_is_taken_to_be_what_terraform_sets_up() -> None:
    text = (ROOT / "deployment" / "terraform" / "ecs" / "main.tf").read_text()
    (cpu,) = re.findall(r"^  cpu .* \? (\d+) : (\d+)\)", text, re.M)
    (memory,) = re.findall(r"^  memory .* \? (\d+) : (\d+)\)", text, re.M)
    assert (int(cpu[0]) / 1024, int(memory[0])) == (TASK_CPUS, TASK_MEMORY_MB)
    assert (int(cpu[1]) / 1024, int(memory[1])) == (FARGATE.settings["cpus"], FARGATE.settings["task_memory_mb"])
