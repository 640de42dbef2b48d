"""The Terraform templates: form, arguments, names and permissions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deployment import provider_schema
from tests.deployment.modules import FOLDER, MODULES, blocks_of, each_module, needs_terraform
from tests.deployment.terraform_checks import policy_faults, reference_faults, schema_faults, statements, unused_faults
from tests.deployment.terraform_files import Block, calls, literal, read_text
from tests.deployment.terraform_program import terraform

# The permissions of the service on S3, on all platforms.
PICTURES = {
    "ReadPictures": (["s3:GetObject"], ["${local.input_bucket_arn}/*"]),
    "TellMissingPictures": (["s3:ListBucket"], ["${local.input_bucket_arn}"]),
    "WriteResults": (["s3:GetObject", "s3:PutObject"], ["${local.output_bucket_arn}/${var.result_prefix}*"]),
    # Per key of bucket_kms_key_arns; its id is not fixed.
    "": (["kms:Decrypt", "kms:GenerateDataKey"], ["${statement.value}"]),
}
READ_PICTURES = 'actions   = ["s3:GetObject"]\n    resources = ["${local.input_bucket_arn}/*"]'
WRITE_LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"]


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
def test_the_shared_files_are_equal(file: str) -> None:
    assert len({(FOLDER / module / file).read_bytes() for module in MODULES}) == 1


@each_module
def test_the_versions_are_pinned(module: str) -> None:
    (block,) = [b for b in blocks_of(module) if b.kind == "terraform"]
    assert literal(block.body["required_version"]) == ">= 1.5"
    assert literal(block.body["required_providers"][0]["aws"]["version"]) == "~> 6.0"


# Arguments, names, permissions


@each_module
@pytest.mark.slow
def test_the_provider_knows_every_argument_and_misses_none(module: str) -> None:
    assert schema_faults(blocks_of(module)) == []


@each_module
def test_every_name_is_declared(module: str) -> None:
    assert reference_faults(blocks_of(module)) == []


@each_module
def test_everything_that_is_declared_is_used(module: str) -> None:
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
        "ReadPictureVersions": (["s3:GetObjectVersion"], ["${local.input_bucket_arn}/*"]),
        "UseKey": (["kms:Decrypt", "kms:GenerateDataKey"], ["${statement.value}"]),
    }
    (document,) = [b for b in blocks_of("lambda") if b.address == "data.aws_iam_policy_document.function"]
    assert document.body["source_policy_documents"] == ["${data.aws_iam_policy_document.pictures.json}"]
    conditions = [dynamic['"statement"']["for_each"] for dynamic in document.body["dynamic"]]
    assert conditions == [
        "${local.tracing ? [1] : []}",
        "${aws_sqs_queue.failed}",
        "${var.batch_operations ? [1] : []}",
        "${var.kms_key_arn == null ? [] : [var.kms_key_arn]}",
    ]
    assert policies_of_roles("lambda") == {
        "aws_iam_role.function.id": ["function"],
        "aws_iam_role.batch_operations[0].id": ["batch_operations"],
    }


def test_a_job_of_s3_batch_operations_may_call_the_function_and_write_below_its_prefix_only() -> None:
    assert grants("lambda", "batch_operations") == {
        "InvokeFunction": (["lambda:InvokeFunction"], ["${local.function_arn}:*"]),
        "GenerateManifests": (["s3:PutInventoryConfiguration"], ["${local.input_bucket_arn}"]),
        "ReadManifestsAndWriteReports": (
            ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
            ["${local.output_bucket_arn}/${var.batch_prefix}*"],
        ),
    }
    blocks = {block.address: block.body for block in blocks_of("lambda")}
    assert "dynamic" not in blocks["data.aws_iam_policy_document.batch_operations"]
    (trust,) = blocks["data.aws_iam_policy_document.assume_batch_operations"]["statement"]
    (principal,), (condition,) = trust["principals"], trust["condition"]
    assert principal["identifiers"] == ['"batchoperations.s3.amazonaws.com"']
    assert (literal(condition["test"]), literal(condition["variable"]), condition["values"]) == (
        "StringEqualsIfExists",
        "aws:SourceAccount",
        ["${data.aws_caller_identity.current.account_id}"],
    )


def test_a_task_and_what_starts_it_may_do_nothing_else() -> None:
    assert grants("ecs", "execution") == {
        "LogInToRegistry": (["ecr:GetAuthorizationToken"], ["*"]),
        "PullImage": (
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            ["${var.repository_arn}"],
        ),
        "WriteLogs": (WRITE_LOGS, ["${aws_cloudwatch_log_group.service.arn}:*"]),
        "ReadApiKeysSecret": (["secretsmanager:GetSecretValue"], ["${statement.value}"]),
        "ReadApiKeysParameter": (["ssm:GetParameters"], ["${statement.value}"]),
        "DecryptApiKeys": (["kms:Decrypt"], ["${statement.value}"]),
    }
    (document,) = [b for b in blocks_of("ecs") if b.address == "data.aws_iam_policy_document.execution"]
    conditions = [dynamic['"statement"']["for_each"] for dynamic in document.body["dynamic"]]
    assert conditions == [
        '${local.api_keys_service == "secretsmanager" ? [var.api_keys_arn] : []}',
        '${local.api_keys_service == "ssm" ? [var.api_keys_arn] : []}',
        "${var.api_keys_arn == null || var.kms_key_arn == null ? [] : [var.kms_key_arn]}",
    ]
    assert policies_of_roles("ecs") == {
        "aws_iam_role.execution.id": ["execution"],
        "aws_iam_role.task.id": ["pictures"],
        "aws_iam_role.worker[0].id": ["worker[0]"],
        "aws_iam_role.instance[0].name": ["AmazonEC2ContainerServiceforEC2Role"],
    }


def test_a_worker_may_answer_the_messages_of_its_queue_and_only_the_input_bucket_may_send_to_it() -> None:
    assert grants("ecs", "worker") == {
        "AnswerMessages": (
            ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            ["${aws_sqs_queue.this[0].arn}"],
        ),
        "DecryptMessages": (["kms:Decrypt"], ["${statement.value}"]),
    }
    blocks = {block.address: block.body for block in blocks_of("ecs")}
    document = blocks["data.aws_iam_policy_document.worker"]
    assert document["source_policy_documents"] == ["${data.aws_iam_policy_document.pictures.json}"]
    [dynamic] = document["dynamic"]
    assert dynamic['"statement"']["for_each"] == "${var.kms_key_arn == null ? [] : [var.kms_key_arn]}"
    assert grants("ecs", "queue") == {"AllowInputBucket": (["sqs:SendMessage"], ["${aws_sqs_queue.this[0].arn}"])}
    [sender] = blocks["data.aws_iam_policy_document.queue"]["statement"]
    assert sender["principals"][0]["identifiers"] == ['"s3.amazonaws.com"']
    conditions = {literal(one["variable"]): (literal(one["test"]), one["values"]) for one in sender["condition"]}
    assert conditions == {
        "aws:SourceArn": ("ArnEquals", ["${local.input_bucket_arn}"]),
        "aws:SourceAccount": ("StringEquals", ["${data.aws_caller_identity.current.account_id}"]),
    }


def policies_of_roles(module: str) -> dict[str, list[str]]:
    """The policies of each role: documents of this module, and AWS's own."""
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
        (
            "lambda",
            "aws_sqs_queue.failed",
            "sqs_managed_sse_enabled",
            "${var.kms_key_arn == null ? true : null}",
        ),
        ("lambda", "aws_sqs_queue.failed", "kms_master_key_id", "${var.kms_key_arn}"),
        ("lambda", "aws_lambda_function.this", "kms_key_arn", "${var.kms_key_arn}"),
        ("lambda", "aws_cloudwatch_log_group.function", "kms_key_id", "${var.kms_key_arn}"),
        ("lambda", "aws_cloudwatch_log_group.api", "kms_key_id", "${var.kms_key_arn}"),
        ("ecs", "aws_cloudwatch_log_group.service", "kms_key_id", "${var.kms_key_arn}"),
        ("lambda", "aws_lambda_function_event_invoke_config.live", "maximum_retry_attempts", 2),
        ("lambda", "aws_apigatewayv2_route.predict", "authorization_type", "${var.authorizer}"),
        ("lambda", "aws_apigatewayv2_route.page", "count", "${var.page ? 1 : 0}"),
        ("ecs", "aws_launch_template.ec2", "metadata_options.http_tokens", '"required"'),
        ("ecs", "aws_launch_template.ec2", "metadata_options.http_put_response_hop_limit", 1),
        ("ecs", "aws_launch_template.ec2", "block_device_mappings.ebs.encrypted", True),
        ("ecs", "aws_launch_template.ec2", "block_device_mappings.ebs.kms_key_id", "${var.kms_key_arn}"),
        ("ecs", "aws_lb.this", "drop_invalid_header_fields", True),
        ("ecs", "aws_lb.this", "internal", "${!var.internet_facing}"),
        ("ecs", "aws_lb.this", "enable_deletion_protection", "${var.deletion_protection}"),
        ("ecs", "aws_wafv2_web_acl_association.this", "resource_arn", "${aws_lb.this.arn}"),
        ("ecs", "aws_lb_listener.https", "default_action.type", '"fixed-response"'),
        (
            "ecs",
            "aws_lb_listener.http",
            "default_action.type",
            '${local.https ? "redirect" : "fixed-response"}',
        ),
        ("ecs", "aws_lb_listener.https", "ssl_policy", '"ELBSecurityPolicy-TLS13-1-2-2021-06"'),
        (
            "ecs",
            "aws_vpc_security_group_ingress_rule.task",
            "referenced_security_group_id",
            "${aws_security_group.alb.id}",
        ),
        ("ecs", "aws_ecs_service.this", "deployment_circuit_breaker.rollback", True),
        ("ecs", "aws_ecs_service.worker", "deployment_circuit_breaker.rollback", True),
        (
            "ecs",
            "aws_ecs_service.worker",
            "network_configuration.security_groups",
            "${aws_security_group.worker[*].id}",
        ),
        ("ecs", "aws_ecs_task_definition.worker", "task_role_arn", "${aws_iam_role.worker[0].arn}"),
        ("ecs", "aws_sqs_queue.this", "sqs_managed_sse_enabled", "${var.kms_key_arn == null ? true : null}"),
        ("ecs", "aws_sqs_queue.this", "kms_master_key_id", "${var.kms_key_arn}"),
        ("ecs", "aws_sqs_queue.failed", "sqs_managed_sse_enabled", "${var.kms_key_arn == null ? true : null}"),
        ("ecs", "aws_sqs_queue.failed", "kms_master_key_id", "${var.kms_key_arn}"),
        (
            "ecs",
            "aws_vpc_security_group_ingress_rule.sqs_endpoint",
            "referenced_security_group_id",
            "${aws_security_group.worker[0].id}",
        ),
        ("ecs", "aws_autoscaling_group.ec2", "protect_from_scale_in", True),
    ],
)
def test_a_safe_setting_is_in_place(module: str, address: str, path: str, value: Any) -> None:
    (found,) = [block.body for block in blocks_of(module) if block.address == address]
    *outer, name = path.split(".")
    for step in outer:
        (found,) = found[step]
    assert found[name] == value


def test_nothing_but_the_load_balancer_reaches_a_task_and_nobody_a_worker_or_an_instance() -> None:
    rules = [b.labels[1] for b in blocks_of("ecs") if b.labels and b.labels[0] == "aws_vpc_security_group_ingress_rule"]
    assert rules == ["alb", "task", "sqs_endpoint"]


# The checks find faults


def mutated(module: str, old: str, new: str) -> list[Block]:
    """The blocks of a module after one change."""
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
        (schema_faults, "lambda", 'description = "Tags of all resources."', "", "description is missing"),
        (schema_faults, "ecs", "      encrypted             = true", "      encryption = true", "argument encryption"),
        (schema_faults, "ecs", "http_tokens  ", "http_token  ", "metadata_options: there is no argument http_token"),
        (schema_faults, "ecs", "ignore_changes = [desired_capacity]", "ignore_changes = [desired]", "argument desired"),
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
        (policy_faults, "lambda", READ_PICTURES, READ_PICTURES[:-1] + ', "*"]', 'resource "*" is not one thing'),
        (policy_faults, "lambda", READ_PICTURES, READ_PICTURES[:-1] + ', "arn:aws:s3:::*"]', "is not one thing"),
        (policy_faults, "lambda", '["s3:PutInventoryConfiguration"]', '["s3:Put*"]', "is not one action"),
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
