"""Values of the modules' variables that go together, and values that each are good but do not go together."""

from __future__ import annotations

from typing import Any

from tests.deployment.modules import CERTIFICATE, EVERYBODY, KEY, OIDC, PARAMETER, SECRET, WEB_ACL

Values = dict[str, Any]

# Pictures and results in one bucket, whose new objects start the function or are messages for workers.
SAME_BUCKET: Values = {"input_bucket": "my-bucket", "output_bucket": "my-bucket"}
ONE_BUCKET: Values = {"s3_trigger": True} | SAME_BUCKET
ONE_BUCKET_QUEUE: Values = {"queue": True, "launch_type": "FARGATE"} | SAME_BUCKET
JWT: Values = {"authorizer": "JWT", "jwt_issuer": "https://issuer.example", "jwt_audience": ["yolov7"]}
LOGIN: Values = {"oidc": OIDC, "oidc_client_secret": "secret", "certificate_arn": CERTIFICATE}
KEYS: Values = {"kms_key_arn": KEY, "bucket_kms_key_arns": [KEY]}
ARM64: Values = {"architecture": "arm64", "s3_endpoint": False}
# The identifiers stand for a network that has these subnets.
OWN_VPC: Values = {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1"], "alb_subnet_ids": ["subnet-2", "subnet-3"]}

# By module and name, which is also the deployment's.
GOOD: dict[str, dict[str, Values]] = {
    "lambda": {
        "default": {},
        "open": {"authorizer": "NONE", "throttling_rate_limit": 0.5, "throttling_burst_limit": 1},
        "jwt": JWT,
        "page": JWT | {"page": True},
        "traced": {"tracing_mode": "Active", "result_prefix": "annotated/"},
        "reserved": {"reserved_concurrency": 2, "memory_size": 10240, "timeout": 900},
        "provisioned": {"provisioned_concurrency": 2, "memory_size": 10240, "reserved_concurrency": 2},
        "snap-start": {"snap_start": True, "architecture": "arm64", "env": {"MODEL": "mine"}},
        "one-bucket": ONE_BUCKET | {"trigger_prefix": "pictures/", "result_prefix": "annotated/"},
        "two-buckets": {"s3_trigger": True, "input_bucket": "my-arrivals", "trigger_suffix": ".jpg"},
        "batch": {"batch_operations": True, "batch_prefix": "jobs/yolov7/"},
        "one-bucket-batch": ONE_BUCKET
        | {"trigger_prefix": "in/", "result_prefix": "out/", "batch_operations": True}
        | {"input_bucket": "mine-3", "output_bucket": "mine-3"},  # A bucket has the notification of one variant.
        "keys": KEYS,
        "kept": {"log_retention_days": 0, "dashboard": False, "tags": {"Team": "vision"}, "alarm_duration_ms": 500},
    },
    "ecs": {
        # A VPC can have one endpoint of S3 only, so the other deployments in the default VPC do without.
        "default": {},
        "small-task": {"launch_type": "FARGATE", "cpu": 512, "memory": 3072},
        "big-task": {"launch_type": "FARGATE", "architecture": "arm64", "cpu": 16384, "memory": 122880},
        "plain-http": ARM64 | EVERYBODY | {"instance_type": "c6gn.2xlarge", "allow_plain_http": True},
        "https": EVERYBODY | {"certificate_arn": CERTIFICATE, "launch_type": "FARGATE", "api_keys_arn": PARAMETER},
        "login": LOGIN | {"launch_type": "FARGATE", "page": True},
        "keys": ARM64 | {"instance_type": "im4gn.large", "api_keys_arn": SECRET, "web_acl_arn": WEB_ACL} | KEYS,
        "own-vpc": OWN_VPC,
        "own-vpc-task": OWN_VPC | {"launch_type": "FARGATE", "assign_public_ip": True, "s3_endpoint": True},
        "requests": {
            "launch_type": "FARGATE",
            "target_requests_per_task": 60,
            "alarms": False,
            "dashboard": False,
            "max_tasks": 9,
        },
        "no-threads": ARM64 | {"architecture": "x86_64", "instance_type": "m7a.xlarge", "threads_per_core": 1},
        "fast": {"launch_type": "FARGATE", "metrics_period": 20, "dashboard": False},
        "queue": ARM64
        | {
            "instance_type": "t4g.xlarge",
            "queue": True,
            "input_bucket": "my-arrivals-2",
            "min_workers": 1,
            "max_workers": 50,
        },
        "queue-task": ONE_BUCKET_QUEUE
        | {"trigger_prefix": "pictures/", "result_prefix": "annotated/", "sqs_endpoint": True, "input_bucket": "mine-2"}
        | {"output_bucket": "mine-2", "min_workers": 1, "max_workers": 2, "max_receives": 5, "backlog_per_worker": 1}
        | OWN_VPC,
        "queue-keys": KEYS
        | {"queue": True, "launch_type": "FARGATE", "input_bucket": "my-arrivals-3", "alarms": False},
        "protected": {"launch_type": "FARGATE", "deletion_protection": True, "access_logs_bucket": "my-logs"},
    },
}

# Each with a part of what is said.
NOT_TOGETHER: list[tuple[str, Values, str]] = [
    ("lambda", {"snap_start": True, "provisioned_concurrency": 1}, "Set snap_start or provisioned_concurrency"),
    ("lambda", JWT | {"jwt_audience": []}, "at least one jwt_audience"),
    ("lambda", {"page": True}, "page needs authorizer JWT or NONE"),
    (
        "lambda",
        {"provisioned_concurrency": 3, "reserved_concurrency": 2},
        "provisioned_concurrency (3) must not be more than reserved_concurrency (2)",
    ),
    ("lambda", {"provisioned_concurrency": 1, "reserved_concurrency": 0}, "provisioned_concurrency (1) must not"),
    ("lambda", ONE_BUCKET, "result_prefix and trigger_prefix"),
    ("lambda", ONE_BUCKET | {"result_prefix": "annotated/"}, "result_prefix and trigger_prefix"),
    ("lambda", ONE_BUCKET | {"trigger_prefix": "pictures/"}, "result_prefix and trigger_prefix"),
    (
        "lambda",
        ONE_BUCKET | {"trigger_prefix": "pictures/", "result_prefix": "pictures/annotated/"},
        "result_prefix and trigger_prefix",
    ),
    (
        "lambda",
        ONE_BUCKET | {"trigger_prefix": "batch-", "result_prefix": "annotated/", "batch_operations": True},
        "a batch_prefix that does not begin with trigger_prefix",
    ),
    ("ecs", {"architecture": "arm64"}, "instance_type t3a.xlarge has an x86_64 processor, architecture is arm64"),
    ("ecs", {"instance_type": "m7g.large"}, "instance_type m7g.large has an arm64 processor"),
    ("ecs", {"instance_type": "a1.xlarge"}, "instance_type a1.xlarge has an arm64 processor"),
    ("ecs", {"architecture": "arm64", "instance_type": "g4dn.xlarge"}, "g4dn.xlarge has an x86_64 processor"),
    ("ecs", {"min_tasks": 3, "max_tasks": 2}, "min_tasks (3) must not be more than max_tasks (2)"),
    ("ecs", {"min_instances": 3, "max_instances": 2}, "min_instances (3) must not be more than max_instances (2)"),
    ("ecs", {"launch_type": "FARGATE", "memory": 4096}, "no tasks of 4096 CPU units with 4096 MiB"),
    ("ecs", {"launch_type": "FARGATE", "cpu": 3584}, "no tasks of 3584 CPU units with 8192 MiB"),
    ("ecs", {"launch_type": "FARGATE", "cpu": 256, "memory": 1536}, "no tasks of 256 CPU units with 1536 MiB"),
    ("ecs", {"launch_type": "FARGATE", "cpu": 8192, "memory": 18432}, "no tasks of 8192 CPU units with 18432 MiB"),
    ("ecs", {"vpc_id": "vpc-1"}, "Set vpc_id and subnet_ids, or neither"),
    ("ecs", {"subnet_ids": ["subnet-1", "subnet-2"]}, "Set vpc_id and subnet_ids, or neither"),
    ("ecs", {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1"]}, "subnets in two availability zones"),
    ("ecs", EVERYBODY, "set certificate_arn, or allow_plain_http = true"),
    ("ecs", {"internet_facing": True, "certificate_arn": CERTIFICATE}, "internet_facing needs allowed_cidrs"),
    ("ecs", {"oidc": OIDC, "oidc_client_secret": "secret"}, "oidc needs certificate_arn"),
    ("ecs", {"oidc": OIDC, "certificate_arn": CERTIFICATE}, "set TF_VAR_oidc_client_secret"),
    ("ecs", ONE_BUCKET_QUEUE, "queue with one bucket for pictures and results"),
    ("ecs", ONE_BUCKET_QUEUE | {"result_prefix": "annotated/"}, "queue with one bucket for pictures and results"),
    ("ecs", ONE_BUCKET_QUEUE | {"trigger_prefix": "pictures/"}, "queue with one bucket for pictures and results"),
    (
        "ecs",
        {"queue": True, "min_workers": 3, "max_workers": 2},
        "min_workers (3) must not be more than max_workers (2)",
    ),
]
