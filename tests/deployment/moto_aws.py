"""A moto server in place of AWS: what a deployment finds there, what it left, and what moto forgets."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from local.checkout import ROOT
from local.processes import free_port, running, wait_until_ready
from tests.deployment.modules import CERTIFICATE, WEB_ACL

REGION = "eu-central-1"
# Without the first a role cannot have AWS's own policies, without the second no service reaches a steady state.
SETTINGS = {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "MOTO_ECS_SERVICE_RUNNING": "1"}

# What the modules make, as boto3 lists it.
LISTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("apigatewayv2", "get_apis", "Items", {}),
    ("application-autoscaling", "describe_scalable_targets", "ScalableTargets", {"ServiceNamespace": "ecs"}),
    ("application-autoscaling", "describe_scaling_policies", "ScalingPolicies", {"ServiceNamespace": "ecs"}),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", {}),
    ("cloudwatch", "describe_alarms", "MetricAlarms", {}),
    ("cloudwatch", "list_dashboards", "DashboardEntries", {}),
    ("ec2", "describe_launch_templates", "LaunchTemplates", {}),
    ("ec2", "describe_security_groups", "SecurityGroups", {}),
    ("ec2", "describe_security_group_rules", "SecurityGroupRules", {}),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", {}),
    ("ecs", "list_task_definitions", "taskDefinitionArns", {}),
    ("elbv2", "describe_load_balancers", "LoadBalancers", {}),
    ("elbv2", "describe_target_groups", "TargetGroups", {}),
    ("iam", "list_instance_profiles", "InstanceProfiles", {}),
    ("iam", "list_roles", "Roles", {}),
    ("lambda", "list_functions", "Functions", {}),
    ("logs", "describe_log_groups", "logGroups", {}),
    ("sqs", "list_queues", "QueueUrls", {}),
]

# What moto does not keep as AWS does, so that a second plan sets it again; after "then": what follows from that.
FORGOTTEN: dict[str, set[str]] = {
    "aws_ecs_service": {
        "availability_zone_rebalancing", "capacity_provider_strategy", "deployment_controller",
        "health_check_grace_period_seconds", "launch_type",
        # then, because a service with another capacity provider is replaced
        "iam_role", "id", "platform_version", "tags", "triggers",
    },
    "aws_launch_template": {"tag_specifications", "latest_version"},
    "aws_autoscaling_group": {"capacity_reservation_specification", "launch_template"},  # then: its latest version
    "aws_lambda_function": {
        "image_config", "logging_config", "snap_start",
        "qualified_arn", "qualified_invoke_arn", "version",  # then: a new version
    },
    "aws_lambda_alias": {"function_version"},
    "aws_sqs_queue": {"redrive_policy"},  # Its JSON comes back with other white space.
    "aws_sqs_queue_policy": {"policy"},  # then: a policy that names the queue is read again
    "aws_iam_role_policy": {"policy"},
    "aws_vpc_security_group_egress_rule": {"description"},
    "aws_vpc_security_group_ingress_rule": {"description"},
}  # fmt: skip
# Variants that are planned only.
PLANNED_ONLY = {
    "provisioned-lambda": "moto has no PutProvisionedConcurrencyConfig",
    "queue-keys-ecs": "moto counts one task of every service as running, also where no worker is wanted",
    "protected-ecs": "a protected load balancer cannot be destroyed before another apply",
}


@contextlib.contextmanager
def moto_server(log: Path) -> Iterator[dict[str, str]]:
    """Run a moto server and yield the environment in which boto3 and Terraform find it."""
    port = free_port()
    command = [sys.executable, "-m", "tests.deployment.moto_more", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, env=os.environ | SETTINGS, log=log, cwd=ROOT) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(process, f"{url}/moto-api/", name="moto", log=log, timeout_s=60)
        yield {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


def client(env: dict[str, str], service: str) -> Any:
    """A boto3 client of a moto server."""
    return boto3.client(  # type: ignore[call-overload]
        service, region_name=REGION, endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def made(env: dict[str, str]) -> dict[str, int]:
    """The number of things of each kind."""
    found = {}
    for service, method, field, options in LISTS:
        aws = client(env, service)
        if aws.can_paginate(method):
            pages = aws.get_paginator(method).paginate(**options)
        else:
            pages = [getattr(aws, method)(**options)]
        things = [thing for page in pages for thing in page.get(field, [])]
        # What was deleted is listed for a while, on AWS too.
        found[f"{service} {field}"] = sum(not isinstance(t, dict) or t.get("State") != "deleted" for t in things)
    ecs = client(env, "ecs")
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    return found | {"ecs clusters": sum(cluster["status"] == "ACTIVE" for cluster in clusters)}


def prepare(env: dict[str, str], buckets: set[str]) -> dict[str, str]:
    """Make what a deployment needs but does not make; returns its identifiers, by those that the variants have."""
    for bucket in buckets:
        client(env, "s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    ec2 = client(env, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = {
        f"subnet-{number}": ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"{REGION}{zone}"
        )["Subnet"]["SubnetId"]
        for number, zone in enumerate("aabc")
        if number
    }
    certificate = client(env, "acm").request_certificate(DomainName="yolov7.example")["CertificateArn"]
    acl = client(env, "wafv2").create_web_acl(
        Name="mine", Scope="REGIONAL", DefaultAction={"Allow": {}},
        VisibilityConfig={"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "mine"},
    )["Summary"]["ARN"]  # fmt: skip
    return {"vpc-1": vpc, CERTIFICATE: certificate, WEB_ACL: acl} | subnets
