"""The queue of the ECS module, its workers, and how many of them there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.deployment.modules import SECRET, blocks_of, needs_terraform
from tests.deployment.terraform_files import literal
from tests.deployment.terraform_program import Evaluation


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize("launch_type", ["EC2", "FARGATE"])
def test_a_worker_is_the_same_container_with_a_queue_and_without_api_keys(
    launch_type: str, evaluated: Callable[..., Evaluation]
) -> None:
    values = evaluated("ecs", launch_type=launch_type, queue=True, api_keys_arn=SECRET).values
    task, worker = values["container"], values["worker_container"]
    added = [pair for pair in worker["environment"] if pair not in task["environment"]]
    assert added == [{"name": "QUEUE_URL", "value": "aws_sqs_queue.this.url"}]
    assert worker["secrets"] == []
    assert worker["logConfiguration"]["options"].pop("awslogs-stream-prefix") == "worker"
    compile(worker["healthCheck"]["command"][3], "healthCheck", "exec")
    assert "http://localhost:3000/livez" in worker["healthCheck"]["command"][3]
    for one in (task, worker):
        one["logConfiguration"]["options"].pop("awslogs-stream-prefix", None)
        for name in ("environment", "secrets", "healthCheck"):
            del one[name]
    assert worker == task


STEPS = [
    ({"max_workers": 1}, [(1, 0, None)]),
    ({"max_workers": 3}, [(1, 0, 100), (2, 100, 200), (3, 200, None)]),
    ({"max_workers": 2, "backlog_per_worker": 7}, [(1, 0, 7), (2, 7, None)]),
]


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(("values", "steps"), STEPS)
def test_workers_follow_the_messages_in_steps(
    values: dict[str, Any], steps: list[tuple[int, int, int | None]], evaluated: Callable[..., Evaluation]
) -> None:
    found = evaluated("ecs", queue=True, **values).values["worker_adjustments"]
    assert [(one["workers"], one["begin"], one["end"]) for one in found] == steps


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize("most", [20, 21, 33, 100])
def test_many_workers_have_as_many_steps_as_a_policy_may_have(most: int, evaluated: Callable[..., Evaluation]) -> None:
    found = evaluated("ecs", queue=True, max_workers=most).values["worker_adjustments"]
    assert len(found) == 20
    assert [one["begin"] for one in found] == [0, *(one["workers"] * 100 for one in found[:-1])]
    assert [one["end"] for one in found] == [*(one["begin"] for one in found[1:]), None]
    workers = [one["workers"] for one in found]
    assert workers == sorted(set(workers))
    assert workers[-1] == most


def test_workers_start_at_the_first_message_that_waits_and_stop_when_none_does() -> None:
    blocks = {block.address: block.body for block in blocks_of("ecs")}
    alarm = blocks["aws_cloudwatch_metric_alarm.workers"]
    # The only number of messages that CloudWatch has in every minute; the step's bounds count from the threshold.
    assert literal(alarm["metric_name"]) == "ApproximateNumberOfMessagesVisible"
    assert (alarm["threshold"], literal(alarm["treat_missing_data"])) == (0, "notBreaching")
    for name in ("backlog", "idle"):
        [steps] = blocks[f"aws_appautoscaling_policy.{name}"]["step_scaling_policy_configuration"]
        assert literal(steps["adjustment_type"]) == "ExactCapacity"
    [idle] = blocks["aws_appautoscaling_policy.idle"]["step_scaling_policy_configuration"]
    assert idle["step_adjustment"][0]["scaling_adjustment"] == "${var.min_workers}"


@pytest.mark.slow
@needs_terraform
def test_only_one_of_both_alarms_can_be_raised(evaluated: Callable[..., Evaluation]) -> None:
    alarms = evaluated("ecs", queue=True).values["worker_alarms"]
    assert {name: alarm["comparison"] for name, alarm in alarms.items()} == {
        "backlog": "GreaterThanThreshold",
        "idle": "LessThanOrEqualToThreshold",
    }


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(
    ("values", "endpoint"),
    [
        ({}, False),
        ({"queue": True}, True),
        ({"queue": True, "sqs_endpoint": False}, False),
        ({"queue": True, "launch_type": "FARGATE"}, False),
        ({"queue": True, "vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"]}, False),
        ({"sqs_endpoint": True}, False),
    ],
)
def test_a_worker_has_a_route_to_sqs(
    values: dict[str, Any], endpoint: bool, evaluated: Callable[..., Evaluation]
) -> None:
    assert evaluated("ecs", **values).values["sqs_endpoint"] == endpoint
