"""Values of variables that terraform refuses, and what follows from values that it accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from planner.scaling.books import load_book
from planner.scaling.rules import TargetTrackingRules
from tests.deployment.modules import MODULES, OIDC, SECRET, VALUES, blocks_of, each_module, needs_terraform
from tests.deployment.terraform_files import references
from tests.deployment.terraform_program import Evaluation
from tests.deployment.variants import GOOD, NOT_TOGETHER

COMMON: dict[str, list[Any]] = {
    "deployment_name": ["", "x", "Demo", "1demo", "demo-", "d" * 25, "de_mo"],
    "region": ["", "Frankfurt", "eu-central"],
    "image_uri": ["", "yolov7", "yolov7:latest", "yolov7@sha256:" + "0" * 63, "yolov7@sha256:" + "G" * 64],
    "architecture": ["amd64"],
    "input_bucket": ["", "ab", "Pictures", "-pictures", "pictures/", "p" * 64],
    "output_bucket": ["", "ab", "Results", "results.", "r" * 64],
    "result_prefix": ["/annotated", "a*", "${aws:username}/"],
    "env": [{"INPUT_BUCKET": "other"}, {"RESULT_PREFIX": ""}],
    "log_retention_days": [2, -1],
    "kms_key_arn": ["alias/mine", "arn:aws:kms:eu-central-1:123456789012:alias/mine"],
    "bucket_kms_key_arns": [["mine"]],
}
REFUSED: list[tuple[str, str, list[Any]]] = [(m, name, values) for m in MODULES for name, values in COMMON.items()]
REFUSED += [
    ("lambda", "memory_size", [511, 10241, 1000.5]),
    ("lambda", "timeout", [0, 901, 1.5]),
    ("lambda", "reserved_concurrency", [-2, 0.5]),
    ("lambda", "provisioned_concurrency", [-1, 1.5]),
    ("lambda", "tracing_mode", ["xray"]),
    ("lambda", "throttling_rate_limit", [0]),
    ("lambda", "throttling_burst_limit", [0, 1.5]),
    ("lambda", "authorizer", ["IAM"]),
    ("lambda", "jwt_issuer", ["http://issuer.example"]),
    ("lambda", "alarm_duration_ms", [0, 1.5]),
    ("lambda", "batch_prefix", ["", "/", "jobs", "/jobs/", "jobs*/", "${aws:username}/", "jo?s/"]),
    ("ecs", "deployment_name", ["aws-demo", "ecs-demo", "fargate", "internal-demo", "sg-demo"]),
    ("ecs", "repository_arn", ["", "yolov7", "arn:aws:s3:::yolov7"]),
    ("ecs", "launch_type", ["ec2", "EXTERNAL"]),
    ("ecs", "container_insights", ["on"]),
    ("ecs", "cpu", [128, 32768, 1024.5]),
    ("ecs", "threads_per_core", [0, 3]),
    ("ecs", "memory", [256, 200000, 1024.5]),
    ("ecs", "tmp_size", [0, 16.5]),
    ("ecs", "min_tasks", [0, 1.5]),
    ("ecs", "max_tasks", [0, 1.5]),
    ("ecs", "target_cpu_percent", [5, 101, 70.5]),
    ("ecs", "metrics_period", [10, 30]),
    ("ecs", "target_requests_per_task", [-1, 1.5]),
    ("ecs", "health_check_grace_period", [-1, 1.5]),
    ("ecs", "instance_type", ["big"]),
    ("ecs", "min_instances", [-1, 1.5]),
    ("ecs", "max_instances", [0, 1.5]),
    ("ecs", "root_volume_size", [8, 30.5]),
    ("ecs", "allowed_cidrs", [["10.0.0.1"], ["::/0"]]),
    ("ecs", "certificate_arn", ["my-certificate"]),
    ("ecs", "env", [{"API_KEYS": "tester:0"}, {"QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/1/q"}]),
    ("ecs", "api_keys_arn", ["tester:0", "arn:aws:s3:::keys", SECRET + ":key::"]),
    ("ecs", "oidc", [OIDC | {"issuer": "issuer.example"}, OIDC | {"token_endpoint": "http://issuer.example/token"}]),
    ("ecs", "web_acl_arn", ["mine", "arn:aws:wafv2:us-east-1:123456789012:global/webacl/mine/1"]),
    ("ecs", "access_logs_bucket", ["", "Logs"]),
    ("ecs", "idle_timeout", [0, 60.5]),
    ("ecs", "deregistration_delay", [3601, 1.5]),
    ("ecs", "alarm_5xx_count", [-1, 1.5]),
    ("ecs", "max_receives", [0, 1001, 1.5]),
    ("ecs", "min_workers", [-1, 0.5]),
    ("ecs", "max_workers", [0, 1.5]),
    ("ecs", "backlog_per_worker", [0, 1.5]),
]


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(("module", "name", "values"), REFUSED)
def test_a_wrong_value_is_refused_by_name(
    module: str, name: str, values: list[Any], evaluated: Callable[..., Evaluation]
) -> None:
    for value in values:
        complaints = evaluated(module, **{name: value}).complaints
        assert any(complaint.startswith(f"{name} must ") for complaint in complaints), (value, complaints)


@each_module
def test_a_rule_asks_its_own_variable_alone(module: str) -> None:
    # Terraform before 1.9 allows no other variable there.
    for block in blocks_of(module):
        if block.kind == "variable":
            names = {str(r) for r in references(block.body.get("validation", [])) if not r.bound}
            assert names <= {f"var.{block.labels[0]}"}, block.address


def test_every_rule_has_a_value_that_it_refuses() -> None:
    ruled = {(m, b.labels[0]) for m in MODULES for b in blocks_of(m) if b.kind == "variable" and "validation" in b.body}
    assert ruled == {(module, name) for module, name, _ in REFUSED}


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(("module", "values", "complaint"), NOT_TOGETHER)
def test_values_that_do_not_go_together_are_refused(
    module: str, values: dict[str, Any], complaint: str, evaluated: Callable[..., Evaluation]
) -> None:
    complaints = evaluated(module, **values).complaints
    assert any(complaint in found for found in complaints), complaints


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(("module", "values"), [(m, values) for m in MODULES for values in GOOD[m].values()])
def test_good_values_are_accepted(module: str, values: dict[str, Any], evaluated: Callable[..., Evaluation]) -> None:
    assert evaluated(module, **values).complaints == []


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(("mode", "traced"), [("PassThrough", {}), ("Active", {"TRACING": "xray"})])
def test_the_environment_of_the_function(
    mode: str, traced: dict[str, str], evaluated: Callable[..., Evaluation]
) -> None:
    values = evaluated("lambda", tracing_mode=mode, result_prefix="annotated/", env={"MAX_QUEUE": "8"}).values
    buckets = {"INPUT_BUCKET": "my-pictures", "OUTPUT_BUCKET": "my-results", "RESULT_PREFIX": "annotated/"}
    buckets["IMAGE_DIGEST"] = VALUES["image_uri"].partition("@")[2]
    assert values["environment"] == {**buckets, "MAX_QUEUE": "8", **traced}


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize("launch_type", ["EC2", "FARGATE"])
def test_the_container_of_a_task(launch_type: str, evaluated: Callable[..., Evaluation]) -> None:
    values = evaluated("ecs", launch_type=launch_type, env={"MODEL": "mine"}).values
    container = values["container"]
    assert (values["cpu"], values["memory"]) == ((2048, 14336) if launch_type == "EC2" else (4096, 8192))
    assert container["image"] == VALUES["image_uri"]
    assert {pair["name"]: pair["value"] for pair in container["environment"]} == {
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "INPUT_BUCKET": "my-pictures",
        "OUTPUT_BUCKET": "my-results",
        "RESULT_PREFIX": "",
        "IMAGE_DIGEST": VALUES["image_uri"].partition("@")[2],
        "MODEL": "mine",
    }
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
    tmpfs = [mount["containerPath"] for mount in container["linuxParameters"].get("tmpfs", [])]
    volumes = [mount["containerPath"] for mount in container["mountPoints"]]
    assert (tmpfs, volumes) == ((["/tmp"], []) if launch_type == "EC2" else ([], ["/tmp"]))
    compile(container["healthCheck"]["command"][3], "healthCheck", "exec")
    assert "http://localhost:3000/readyz" in container["healthCheck"]["command"][3]


# The engine runs a thread per physical core, so a task that is always busy uses as many processors as it has cores.
SCALING = [
    ({}, 2048, 70),
    ({"target_cpu_percent": 50}, 2048, 50),
    ({"instance_type": "m7a.xlarge", "threads_per_core": 1}, 4096, 70),
    ({"architecture": "arm64", "instance_type": "t4g.xlarge"}, 4096, 70),
    ({"instance_type": "t3a.2xlarge", "cpu": 4096}, 4096, 70),
    ({"launch_type": "FARGATE"}, 4096, 35),
    ({"launch_type": "FARGATE", "threads_per_core": 1}, 4096, 70),
    ({"launch_type": "FARGATE", "architecture": "arm64"}, 4096, 70),
    ({"launch_type": "FARGATE", "cpu": 2048}, 2048, 35),
    ({"launch_type": "FARGATE", "cpu": 512, "memory": 3072}, 512, 70),
]


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(("values", "cpu", "tracked"), SCALING)
def test_auto_scaling_aims_at_a_share_of_the_processors_that_a_task_can_keep_busy(
    values: dict[str, Any], cpu: int, tracked: int, evaluated: Callable[..., Evaluation]
) -> None:
    found = evaluated("ecs", **values).values
    assert (found["cpu"], found["tracked_cpu_percent"]) == (cpu, tracked)
    (policy,) = [b for b in blocks_of("ecs") if b.address == "aws_appautoscaling_policy.cpu"]
    (tracking,) = policy.body["target_tracking_scaling_policy_configuration"]
    assert tracking["target_value"] == "${local.tracked_cpu_percent}"


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(("book", "launch_type"), [("ecs", "EC2"), ("ecs-20s", "EC2"), ("ecs-idle", "EC2"),
                                                   ("fargate", "FARGATE"), ("fargate-20s", "FARGATE")])  # fmt: skip
def test_the_planner_counts_with_the_same_processors(
    book: str, launch_type: str, evaluated: Callable[..., Evaluation]
) -> None:
    found, rules = evaluated("ecs", launch_type=launch_type).values, load_book(book)
    assert (rules.replica.cores, rules.replica.request_cores) == (found["busy_cpu"] / 1024, found["cpu"] / 1024)
    if isinstance(rules.scaler, TargetTrackingRules):
        assert rules.scaler.target_percent == found["tracked_cpu_percent"]


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(
    ("values", "public_ip", "s3_endpoint"),
    [
        ({"launch_type": "EC2"}, False, True),
        ({"launch_type": "EC2", "s3_endpoint": False, "assign_public_ip": True}, False, False),
        ({"launch_type": "FARGATE"}, True, False),
        ({"launch_type": "FARGATE", "vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"]}, False, False),
        ({"launch_type": "EC2", "vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"]}, False, False),
    ],
)
def test_a_task_has_a_route_to_s3(
    values: dict[str, Any], public_ip: bool, s3_endpoint: bool, evaluated: Callable[..., Evaluation]
) -> None:
    found = evaluated("ecs", **values).values
    assert (found["assign_public_ip"], found["s3_endpoint"]) == (public_ip, s3_endpoint)
    expected = values.get("subnet_ids", ["data.aws_subnets.default.ids.a", "data.aws_subnets.default.ids.b"])
    assert found["subnet_ids"] == found["alb_subnet_ids"] == expected
