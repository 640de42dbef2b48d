"""bentoctl operator: Amazon ECS on EC2 or Fargate, behind a load balancer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from yolov7_operators import BUCKET, COMMON_SCHEMA, mend_bentoctl

mend_bentoctl()

OPERATOR_NAME = "yolov7-aws-ecs"
OPERATOR_MODULE = "aws_ecs_operator"
OPERATOR_DEFAULT_TEMPLATE = "terraform"
OPERATOR_AVAILABLE_TEMPLATES = ["terraform"]
OPERATOR_SCHEMA = {
    **COMMON_SCHEMA,
    "launch_type": {"type": "string", "allowed": ["EC2", "FARGATE"]},
    "container_insights": {"type": "string", "allowed": ["enabled", "enhanced", "disabled"]},
    "cpu": {"type": "integer", "min": 256, "max": 16384, "help_message": "CPU units of a task; 1024 is one CPU"},
    "threads_per_core": {"type": "integer", "allowed": [1, 2]},
    "memory": {"type": "integer", "min": 512, "max": 122880, "help_message": "memory of a task, in MiB"},
    "tmp_size": {"type": "integer", "min": 16},
    "min_tasks": {"type": "integer", "min": 1},
    "max_tasks": {"type": "integer", "min": 1},
    "target_cpu_percent": {"type": "integer", "min": 10, "max": 100},
    "metrics_period": {"type": "integer", "allowed": [20, 60]},
    "target_requests_per_task": {"type": "integer", "min": 0},
    "health_check_grace_period": {"type": "integer", "min": 0},
    "instance_type": {"type": "string"},
    "min_instances": {"type": "integer", "min": 0},
    "max_instances": {"type": "integer", "min": 1},
    "root_volume_size": {"type": "integer", "min": 30},
    "vpc_id": {"type": "string", "regex": "vpc-[0-9a-f]+"},
    "subnet_ids": {"type": "list", "schema": {"type": "string", "regex": "subnet-[0-9a-f]+"}},
    "alb_subnet_ids": {"type": "list", "schema": {"type": "string", "regex": "subnet-[0-9a-f]+"}},
    "assign_public_ip": {"type": "boolean"},
    "s3_endpoint": {"type": "boolean"},
    "internet_facing": {"type": "boolean"},
    "allow_plain_http": {"type": "boolean"},
    "api_keys_arn": {"type": "string", "regex": "arn:aws[a-z-]*:(secretsmanager|ssm):.+"},
    "oidc": {
        "type": "dict",
        "schema": {
            "issuer": {"type": "string", "required": True},
            "authorization_endpoint": {"type": "string", "required": True},
            "token_endpoint": {"type": "string", "required": True},
            "user_info_endpoint": {"type": "string", "required": True},
            "client_id": {"type": "string", "required": True},
        },
    },
    "web_acl_arn": {"type": "string", "regex": "arn:aws[a-z-]*:wafv2:.+"},
    "page": {"type": "boolean"},
    "deletion_protection": {"type": "boolean"},
    "access_logs_bucket": {"type": "string", "regex": BUCKET},
    "allowed_cidrs": {"type": "list", "schema": {"type": "string"}},
    "certificate_arn": {"type": "string", "regex": "arn:aws[a-z-]*:acm:.+"},
    "idle_timeout": {"type": "integer", "min": 1, "max": 4000},
    "deregistration_delay": {"type": "integer", "min": 0, "max": 3600},
    "queue": {"type": "boolean"},
    "trigger_prefix": {"type": "string"},
    "trigger_suffix": {"type": "string"},
    "max_receives": {"type": "integer", "min": 1, "max": 1000},
    "min_workers": {"type": "integer", "min": 0},
    "max_workers": {"type": "integer", "min": 1},
    "backlog_per_worker": {"type": "integer", "min": 1},
    "sqs_endpoint": {"type": "boolean"},
    "alarms": {"type": "boolean"},
    "alarm_5xx_count": {"type": "integer", "min": 0},
}
