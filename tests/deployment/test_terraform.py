"""The Terraform templates: form, arguments, names and permissions, and what terraform itself makes of them."""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.checkout import ROOT
from tests.deployment import provider_schema, terraform_program
from tests.deployment.terraform_checks import policy_faults, reference_faults, schema_faults, statements, unused_faults
from tests.deployment.terraform_files import Block, calls, literal, read_folder, read_text, references
from tests.deployment.terraform_program import Evaluation, evaluate, terraform

pytestmark = pytest.mark.slow

FOLDER = ROOT / "deployment" / "terraform"
MODULES = ["lambda", "ecs"]

needs_terraform = pytest.mark.skipif(terraform_program.PROGRAM is None, reason="terraform is not installed")
each_module = pytest.mark.parametrize("module", MODULES)

VALUES: dict[str, Any] = {
    "deployment_name": "demo",
    "region": "eu-central-1",
    "image_uri": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/yolov7@sha256:" + "0a" * 32,
    "input_bucket": "my-pictures",
    "output_bucket": "my-results",
}
REQUIRED: dict[str, dict[str, Any]] = {
    "lambda": VALUES,
    "ecs": VALUES | {"repository_arn": "arn:aws:ecr:eu-central-1:123456789012:repository/yolov7"},
}
# What the service may do with S3, wherever it runs.
PICTURES = {
    "ReadPictures": (["s3:GetObject"], ["${local.input_bucket_arn}/*"]),
    "TellMissingPictures": (["s3:ListBucket"], ["${local.input_bucket_arn}"]),
    "WriteResults": (["s3:GetObject", "s3:PutObject"], ["${local.output_bucket_arn}/${var.result_prefix}*"]),
}
WRITE_LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"]


def blocks_of(module: str) -> list[Block]:
    """The blocks of one folder."""
    return read_folder(FOLDER / module)


def grants(module: str, document: str) -> dict[str, tuple[list[str], list[str]]]:
    """The actions and resources of every statement of a policy document, by the statement's id."""
    (block,) = [b for b in blocks_of(module) if b.address == f"data.aws_iam_policy_document.{document}"]
    return {
        literal(s["sid"]) or "": (
            [literal(action) or "" for action in s["actions"]],
            [str(resource).strip('"') for resource in s["resources"]],
        )
        for s in statements(block)
    }


# Form


@needs_terraform
def test_the_files_are_formatted() -> None:
    done = terraform("fmt", "-check", "-recursive", "-diff", cwd=FOLDER)
    assert done.returncode == 0, done.stdout


@each_module
def test_a_folder_works_when_it_alone_is_copied_elsewhere(module: str) -> None:
    for file in (FOLDER / module).iterdir():
        text = file.read_text()
        assert "../" not in text and 'module "' not in text and "path." not in text, file


@pytest.mark.parametrize("file", ["s3_policy.tf", "versions.tf"])
def test_what_the_folders_share_is_the_same(file: str) -> None:
    assert len({(FOLDER / module / file).read_bytes() for module in MODULES}) == 1


@each_module
def test_the_versions_are_pinned(module: str) -> None:
    (block,) = [b for b in blocks_of(module) if b.kind == "terraform"]
    assert literal(block.body["required_version"]) == ">= 1.5"
    assert literal(block.body["required_providers"][0]["aws"]["version"]) == "~> 6.0"


# Arguments, names, permissions


@each_module
def test_the_provider_knows_every_argument_and_misses_none(module: str) -> None:
    assert schema_faults(blocks_of(module)) == []


@each_module
def test_every_name_stands_for_something(module: str) -> None:
    assert reference_faults(blocks_of(module)) == []


@each_module
def test_nothing_is_declared_in_vain(module: str) -> None:
    assert unused_faults(blocks_of(module)) == []


@needs_terraform
@each_module
def test_every_function_exists(module: str, tmp_path: Path) -> None:
    known = json.loads(terraform("metadata", "functions", "-json", cwd=tmp_path).stdout)["function_signatures"]
    assert {name for block in blocks_of(module) for name in calls(block.body)} <= set(known)


@each_module
def test_no_permission_is_wider_than_it_must_be(module: str) -> None:
    assert policy_faults(blocks_of(module)) == []


@each_module
def test_s3_is_granted_as_far_as_the_service_uses_it(module: str) -> None:
    assert grants(module, "pictures") == PICTURES


def test_the_function_may_do_nothing_else() -> None:
    assert grants("lambda", "function") == {
        "WriteLogs": (WRITE_LOGS, ["${aws_cloudwatch_log_group.function.arn}:*"]),
        "WriteTraces": (["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]),
        "KeepFailedEvents": (["sqs:SendMessage"], ["${statement.value.arn}"]),
    }
    (document,) = [b for b in blocks_of("lambda") if b.address == "data.aws_iam_policy_document.function"]
    assert document.body["source_policy_documents"] == ["${data.aws_iam_policy_document.pictures.json}"]
    conditions = [dynamic['"statement"']["for_each"] for dynamic in document.body["dynamic"]]
    assert conditions == ["${local.tracing ? [1] : []}", "${aws_sqs_queue.failed}"]
    assert policies_of_roles("lambda") == {"aws_iam_role.function.id": ["function"]}


def test_a_task_and_what_starts_it_may_do_nothing_else() -> None:
    assert grants("ecs", "execution") == {
        "LogInToRegistry": (["ecr:GetAuthorizationToken"], ["*"]),
        "PullImage": (
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            ["${var.repository_arn}"],
        ),
        "WriteLogs": (WRITE_LOGS, ["${aws_cloudwatch_log_group.service.arn}:*"]),
    }
    assert policies_of_roles("ecs") == {
        "aws_iam_role.execution.id": ["execution"],
        "aws_iam_role.task.id": ["pictures"],
        "aws_iam_role.instance[0].name": ["AmazonEC2ContainerServiceforEC2Role"],
    }


def policies_of_roles(module: str) -> dict[str, list[str]]:
    """The policy documents of this folder, and AWS's policies, that each role has."""
    found: dict[str, list[str]] = {}
    for block in blocks_of(module):
        if block.kind == "resource" and block.labels[0] in ("aws_iam_role_policy", "aws_iam_role_policy_attachment"):
            policy = str(block.body.get("policy") or block.body["policy_arn"]).strip('"${}').removesuffix(".json")
            found.setdefault(str(block.body["role"]).strip("${}"), []).append(re.split(r"[./]", policy)[-1])
    return found


@pytest.mark.parametrize(
    ("module", "address", "path", "value"),
    [
        ("lambda", "aws_lambda_permission.api", "qualifier", "${aws_lambda_alias.live.name}"),
        (
            "lambda",
            "aws_lambda_permission.api",
            "source_arn",
            '"${aws_apigatewayv2_api.this.execution_arn}/*/POST/predict"',
        ),
        ("lambda", "aws_lambda_permission.s3", "source_arn", "${local.input_bucket_arn}"),
        (
            "lambda",
            "aws_lambda_permission.s3",
            "source_account",
            "${data.aws_caller_identity.current.account_id}",
        ),
        ("lambda", "aws_sqs_queue.failed", "sqs_managed_sse_enabled", True),
        ("lambda", "aws_lambda_function_event_invoke_config.live", "maximum_retry_attempts", 2),
        ("lambda", "aws_apigatewayv2_route.predict", "authorization_type", "${var.authorizer}"),
        ("ecs", "aws_launch_template.ec2", "metadata_options.http_tokens", '"required"'),
        ("ecs", "aws_launch_template.ec2", "metadata_options.http_put_response_hop_limit", 1),
        ("ecs", "aws_launch_template.ec2", "block_device_mappings.ebs.encrypted", True),
        ("ecs", "aws_lb.this", "drop_invalid_header_fields", True),
        ("ecs", "aws_lb_listener.https", "ssl_policy", '"ELBSecurityPolicy-TLS13-1-2-2021-06"'),
        (
            "ecs",
            "aws_vpc_security_group_ingress_rule.task",
            "referenced_security_group_id",
            "${aws_security_group.alb.id}",
        ),
        ("ecs", "aws_ecs_service.this", "deployment_circuit_breaker.rollback", True),
        ("ecs", "aws_autoscaling_group.ec2", "protect_from_scale_in", True),
    ],
)
def test_what_keeps_it_safe_stays(module: str, address: str, path: str, value: Any) -> None:
    (found,) = [block.body for block in blocks_of(module) if block.address == address]
    *outer, name = path.split(".")
    for step in outer:
        (found,) = found[step]
    assert found[name] == value


def test_nothing_but_the_load_balancer_reaches_a_task_and_nobody_an_instance() -> None:
    rules = [b.labels[1] for b in blocks_of("ecs") if b.labels and b.labels[0] == "aws_vpc_security_group_ingress_rule"]
    assert rules == ["alb", "task"]


# The checks find what they are for


def mutated(module: str, old: str, new: str) -> list[Block]:
    """The blocks of a folder in which one place was changed."""
    texts = [file.read_text() for file in sorted((FOLDER / module).glob("*.tf"))]
    assert sum(text.count(old) for text in texts) == 1, f"{old!r} is not exactly once in {module}"
    return [block for text in texts for block in read_text(text.replace(old, new))]


@pytest.mark.parametrize(
    ("check", "module", "old", "new", "fault"),
    [
        (schema_faults, "lambda", "package_type  ", "packagetype  ", "there is no argument packagetype"),
        (schema_faults, "lambda", "    on_failure {", "    on_error {", "there is no block on_error"),
        (schema_faults, "lambda", 'dynamic "snap_start"', 'dynamic "snapstart"', "there is no block snapstart"),
        (schema_faults, "lambda", 'apply_on = "', 'apply_to = "', "snap_start: apply_on is missing"),
        (
            schema_faults,
            "lambda",
            "role                           = aws_iam_role.function.arn\n",
            "",
            "role is missing",
        ),
        (schema_faults, "lambda", '["s3:ObjectCreated:*"]', '"s3:ObjectCreated:*"', "events must be a list"),
        (schema_faults, "lambda", "timeout_milliseconds   = 30000", 'timeout_milliseconds   = "30 s"', "be a number"),
        (schema_faults, "lambda", "  tracing_config {", "  tracing_config = {", "tracing_config is a block"),
        (schema_faults, "lambda", '"aws_sqs_queue" "failed"', '"aws_sqs_que" "failed"', "has no resource aws_sqs_que"),
        (schema_faults, "lambda", 'description = "Tags of everything that is made."', "", "description is missing"),
        (schema_faults, "ecs", "      encrypted             = true", "      encryption = true", "argument encryption"),
        (schema_faults, "ecs", "http_tokens  ", "http_token  ", "metadata_options: there is no argument http_token"),
        (schema_faults, "ecs", "ignore_changes = [desired_count]", "ignore_changes = [desired]", "argument desired"),
        (schema_faults, "ecs", "  default_tags {", "  default_tag {", "there is no block default_tag"),
        (schema_faults, "ecs", '    name   = "vpc-id"\n', "", "filter: name is missing"),
        (
            reference_faults,
            "lambda",
            "memory_size                    = var.memory_size",
            "memory_size = var.memory",
            "var.memory is not",
        ),
        (
            reference_faults,
            "lambda",
            "variables = local.environment",
            "variables = local.env",
            "local.env is not declared",
        ),
        (
            reference_faults,
            "lambda",
            "aws_lambda_alias.live.invoke_arn",
            "aws_lambda_alias.live.invoke_uri",
            "no attribute",
        ),
        (
            reference_faults,
            "lambda",
            "value       = aws_iam_role.function.arn",
            "value = aws_iam_role.lambda.arn",
            "is not declared",
        ),
        (
            reference_faults,
            "lambda",
            "destination = aws_sqs_queue.failed[0].arn",
            "destination = aws_sqs_queue.failed.arn",
            "needs an index",
        ),
        (reference_faults, "lambda", "[statement.value.arn]", "[statment.value.arn]", "is not known here"),
        (
            reference_faults,
            "ecs",
            "data.aws_ssm_parameter.ami[0]",
            "data.aws_ssm_parameter.image[0]",
            "is not declared",
        ),
        (
            reference_faults,
            "ecs",
            "ECS_CLUSTER=${aws_ecs_cluster.this.name}",
            "ECS_CLUSTER=${aws_ecs_cluster.that.name}",
            "is not",
        ),
        (reference_faults, "ecs", "size = var.tmp_size", "size = var.tmp_sizes", "var.tmp_sizes is not declared"),
        (
            unused_faults,
            "ecs",
            "idle_timeout               = var.idle_timeout",
            "",
            "variable.idle_timeout is never used",
        ),
        (
            unused_faults,
            "ecs",
            'data "aws_caller_identity" "current" {}',
            'data "aws_caller_identity" "other" {}',
            "other is never",
        ),
        (policy_faults, "lambda", '["s3:ListBucket"]', '["s3:*"]', 'action "s3:*" is not one action'),
        (policy_faults, "lambda", '["s3:ListBucket"]', '["s3:List*"]', "is not one action"),
        (policy_faults, "lambda", '["sqs:SendMessage"]', '["*"]', "is not one action"),
        (policy_faults, "lambda", '["${local.input_bucket_arn}/*"]', '["*"]', 'resource "*" is not one thing'),
        (policy_faults, "lambda", '["${local.input_bucket_arn}/*"]', '["arn:aws:s3:::*"]', "is not one thing"),
        (policy_faults, "lambda", "resources = [statement.value.arn]", 'not_resources = ["x"]', "not_resources"),
        (policy_faults, "ecs", "resources = [var.repository_arn]", 'resources = ["*"]', "is not one thing"),
        (
            policy_faults,
            "ecs",
            "policy = data.aws_iam_policy_document.pictures.json",
            'policy = jsonencode("{}")',
            "document of this",
        ),
    ],
)
def test_a_fault_is_found(
    check: Callable[[list[Block]], list[str]], module: str, old: str, new: str, fault: str
) -> None:
    faults = check(mutated(module, old, new))
    assert any(fault in found for found in faults), faults


def test_the_schema_is_that_of_the_pinned_provider() -> None:
    folder = provider_schema.package_folder()
    assert folder is not None
    assert "registry.terraform.io/providers/hashicorp/aws/6." in (folder / "sqs" / "__init__.py").read_text()
    queue = provider_schema.block_schema("resource", "aws_sqs_queue")
    assert queue is not None
    assert not any(argument.required for argument in queue.arguments.values())
    assert {"arn", "url"} <= queue.attributes
    assert "arn" not in queue.arguments


# What terraform makes of it


@pytest.fixture
def evaluated(tmp_path: Path) -> Callable[..., Evaluation]:
    """A function that evaluates a folder with the given variables, and the required ones where nothing is given."""

    def run(module: str, **values: Any) -> Evaluation:
        return evaluate(FOLDER / module, tmp_path, REQUIRED[module] | values)

    return run


COMMON: dict[str, list[Any]] = {
    "deployment_name": ["", "x", "Demo", "1demo", "demo-", "d" * 25, "de_mo"],
    "region": ["", "Frankfurt", "eu-central"],
    "image_uri": ["yolov7", "yolov7:latest", "yolov7@sha256:" + "0" * 63, "yolov7@sha256:" + "G" * 64],
    "architecture": ["amd64"],
    "input_bucket": ["", "ab", "Pictures", "-pictures", "pictures/", "p" * 64],
    "output_bucket": ["", "ab", "Results", "results.", "r" * 64],
    "result_prefix": ["/annotated", "a*", "${aws:username}/"],
    "env": [{"INPUT_BUCKET": "other"}, {"RESULT_PREFIX": ""}],
    "log_retention_days": [2, -1],
}
REFUSED: list[tuple[str, str, list[Any]]] = [(m, name, values) for m in MODULES for name, values in COMMON.items()]
REFUSED += [
    ("lambda", "memory_size", [511, 10241, 1000.5]),
    ("lambda", "timeout", [0, 901]),
    ("lambda", "reserved_concurrency", [-2]),
    ("lambda", "provisioned_concurrency", [-1]),
    ("lambda", "tracing_mode", ["xray"]),
    ("lambda", "throttling_rate_limit", [0]),
    ("lambda", "throttling_burst_limit", [0]),
    ("lambda", "authorizer", ["IAM"]),
    ("lambda", "jwt_issuer", ["http://issuer.example"]),
    ("lambda", "alarm_duration_ms", [0]),
    ("ecs", "deployment_name", ["aws-demo", "ecs-demo", "fargate", "internal-demo", "sg-demo"]),
    ("ecs", "repository_arn", ["yolov7", "arn:aws:s3:::yolov7"]),
    ("ecs", "launch_type", ["ec2", "EXTERNAL"]),
    ("ecs", "container_insights", ["on"]),
    ("ecs", "cpu", [128, 32768]),
    ("ecs", "memory", [256, 200000]),
    ("ecs", "tmp_size", [0]),
    ("ecs", "min_tasks", [0]),
    ("ecs", "max_tasks", [0]),
    ("ecs", "target_cpu_percent", [5, 101]),
    ("ecs", "target_requests_per_task", [-1]),
    ("ecs", "health_check_grace_period", [-1]),
    ("ecs", "instance_type", ["big"]),
    ("ecs", "min_instances", [-1]),
    ("ecs", "max_instances", [0]),
    ("ecs", "root_volume_size", [8]),
    ("ecs", "allowed_cidrs", [[], ["10.0.0.1"], ["::/0"]]),
    ("ecs", "certificate_arn", ["my-certificate"]),
    ("ecs", "idle_timeout", [0]),
    ("ecs", "deregistration_delay", [3601]),
    ("ecs", "alarm_5xx_count", [-1]),
]


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
    # Terraform before 1.9 allows nothing else.
    for block in blocks_of(module):
        if block.kind == "variable":
            names = {str(r) for r in references(block.body.get("validation", [])) if not r.bound}
            assert names <= {f"var.{block.labels[0]}"}, block.address


def test_every_rule_has_a_value_that_it_refuses() -> None:
    ruled = {(m, b.labels[0]) for m in MODULES for b in blocks_of(m) if b.kind == "variable" and "validation" in b.body}
    assert ruled == {(module, name) for module, name, _ in REFUSED}


@needs_terraform
@pytest.mark.parametrize(
    ("module", "values", "complaint"),
    [
        ("lambda", {"snap_start": True, "provisioned_concurrency": 1}, "Set snap_start or provisioned_concurrency"),
        ("lambda", {"authorizer": "JWT", "jwt_issuer": "https://issuer.example"}, "at least one jwt_audience"),
        ("ecs", {"min_tasks": 3, "max_tasks": 2}, "min_tasks (3) must not be more than max_tasks (2)"),
        ("ecs", {"min_instances": 3, "max_instances": 2}, "min_instances (3) must not be more than max_instances (2)"),
        ("ecs", {"launch_type": "FARGATE", "memory": 4096}, "no tasks of 4096 CPU units with 4096 MiB"),
        ("ecs", {"launch_type": "FARGATE", "cpu": 3584}, "no tasks of 3584 CPU units with 8192 MiB"),
        ("ecs", {"launch_type": "FARGATE", "cpu": 256, "memory": 1536}, "no tasks of 256 CPU units with 1536 MiB"),
        ("ecs", {"launch_type": "FARGATE", "cpu": 8192, "memory": 18432}, "no tasks of 8192 CPU units with 18432 MiB"),
        ("ecs", {"vpc_id": "vpc-1"}, "Set vpc_id and subnet_ids, or neither"),
        ("ecs", {"subnet_ids": ["subnet-1", "subnet-2"]}, "Set vpc_id and subnet_ids, or neither"),
        ("ecs", {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1"]}, "subnets in two availability zones"),
    ],
)
def test_values_that_do_not_go_together_are_refused(
    module: str, values: dict[str, Any], complaint: str, evaluated: Callable[..., Evaluation]
) -> None:
    complaints = evaluated(module, **values).complaints
    assert any(complaint in found for found in complaints), complaints


@needs_terraform
@pytest.mark.parametrize(
    ("module", "values"),
    [
        ("lambda", {"authorizer": "JWT", "jwt_issuer": "https://issuer.example", "jwt_audience": ["yolov7"]}),
        ("lambda", {"provisioned_concurrency": 2, "memory_size": 10240, "reserved_concurrency": 0}),
        ("lambda", {"snap_start": True, "architecture": "arm64", "env": {"MODEL": "mine"}}),
        ("ecs", {"launch_type": "FARGATE", "cpu": 512, "memory": 3072}),
        ("ecs", {"launch_type": "FARGATE", "cpu": 16384, "memory": 122880}),
        ("ecs", {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1"], "alb_subnet_ids": ["subnet-2", "subnet-3"]}),
    ],
)
def test_good_values_are_accepted(module: str, values: dict[str, Any], evaluated: Callable[..., Evaluation]) -> None:
    assert evaluated(module, **values).complaints == []


@needs_terraform
@pytest.mark.parametrize(("mode", "traced"), [("PassThrough", {}), ("Active", {"TRACING": "xray"})])
def test_the_environment_of_the_function(
    mode: str, traced: dict[str, str], evaluated: Callable[..., Evaluation]
) -> None:
    values = evaluated("lambda", tracing_mode=mode, result_prefix="annotated/", env={"MAX_QUEUE": "8"}).values
    buckets = {"INPUT_BUCKET": "my-pictures", "OUTPUT_BUCKET": "my-results", "RESULT_PREFIX": "annotated/"}
    assert values["environment"] == {**buckets, "MAX_QUEUE": "8", **traced}


@needs_terraform
@pytest.mark.parametrize("launch_type", ["EC2", "FARGATE"])
def test_the_container_of_a_task(launch_type: str, evaluated: Callable[..., Evaluation]) -> None:
    values = evaluated("ecs", launch_type=launch_type, env={"MODEL": "mine"}).values
    (container,) = json.loads(values["containers"])
    assert (values["cpu"], values["memory"]) == ((3584, 14336) if launch_type == "EC2" else (4096, 8192))
    assert container["image"] == VALUES["image_uri"]
    assert {pair["name"]: pair["value"] for pair in container["environment"]} == {
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "INPUT_BUCKET": "my-pictures",
        "OUTPUT_BUCKET": "my-results",
        "RESULT_PREFIX": "",
        "MODEL": "mine",
    }
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
    tmpfs = [mount["containerPath"] for mount in container["linuxParameters"].get("tmpfs", [])]
    volumes = [mount["containerPath"] for mount in container["mountPoints"]]
    assert (tmpfs, volumes) == ((["/tmp"], []) if launch_type == "EC2" else ([], ["/tmp"]))
    compile(container["healthCheck"]["command"][3], "healthCheck", "exec")
    assert "http://localhost:3000/readyz" in container["healthCheck"]["command"][3]


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
def test_a_task_has_a_way_to_s3(
    values: dict[str, Any], public_ip: bool, s3_endpoint: bool, evaluated: Callable[..., Evaluation]
) -> None:
    found = evaluated("ecs", **values).values
    assert (found["assign_public_ip"], found["s3_endpoint"]) == (public_ip, s3_endpoint)
    expected = values.get("subnet_ids", ["data.aws_subnets.default.ids.a", "data.aws_subnets.default.ids.b"])
    assert found["subnet_ids"] == found["alb_subnet_ids"] == expected


@needs_terraform
def test_the_load_balancer_is_open_to_the_given_ranges_only(evaluated: Callable[..., Evaluation]) -> None:
    certificate = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
    found = evaluated("ecs", allowed_cidrs=["10.0.0.0/8", "192.168.0.0/16"], certificate_arn=certificate).values
    assert {(rule["cidr"], rule["port"]) for rule in found["alb_ingress"].values()} == {
        (cidr, port) for cidr in ("10.0.0.0/8", "192.168.0.0/16") for port in (80, 443)
    }
    assert [rule["port"] for rule in evaluated("ecs").values["alb_ingress"].values()] == [80]


@needs_terraform
@each_module
def test_terraform_validates_it(module: str, tmp_path: Path) -> None:
    """Needs the provider, so Terraform's registry or a copy of the provider that terraform is set up to use."""
    folder = shutil.copytree(FOLDER / module, tmp_path / module)
    done = terraform("init", "-backend=false", "-no-color", cwd=folder)
    if done.returncode != 0:
        try:
            urllib.request.urlopen("https://registry.terraform.io/.well-known/terraform.json", timeout=5).close()
        except (urllib.error.URLError, OSError) as exc:
            pytest.skip(f"registry.terraform.io cannot be reached: {exc}")
    assert done.returncode == 0, done.stderr
    done = terraform("validate", "-no-color", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
