"""bentoctl operator: AWS Lambda behind an HTTP API."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from yolov7_operators import COMMON_SCHEMA, mend_bentoctl

mend_bentoctl()

OPERATOR_NAME = "yolov7-aws-lambda"
OPERATOR_MODULE = "aws_lambda_operator"
OPERATOR_DEFAULT_TEMPLATE = "terraform"
OPERATOR_AVAILABLE_TEMPLATES = ["terraform"]
OPERATOR_SCHEMA = {
    **COMMON_SCHEMA,
    "memory_size": {
        "type": "integer",
        "min": 512,
        "max": 10240,
        "help_message": "memory of an instance, in MB; 1769 MB come with one CPU",
    },
    "timeout": {
        "type": "integer",
        "min": 1,
        "max": 900,
        "help_message": "timeout of an invocation, in seconds; the HTTP API waits 30",
    },
    "reserved_concurrency": {"type": "integer", "min": -1},
    "provisioned_concurrency": {"type": "integer", "min": 0},
    "snap_start": {"type": "boolean"},
    "tracing_mode": {"type": "string", "allowed": ["PassThrough", "Active"]},
    "throttling_rate_limit": {"type": "number", "min": 0.01},
    "throttling_burst_limit": {"type": "integer", "min": 1},
    "authorizer": {"type": "string", "allowed": ["NONE", "AWS_IAM", "JWT"]},
    "jwt_issuer": {"type": "string"},
    "jwt_audience": {"type": "list", "schema": {"type": "string"}},
    "page": {"type": "boolean"},
    "s3_trigger": {"type": "boolean"},
    "trigger_prefix": {"type": "string"},
    "trigger_suffix": {"type": "string"},
    "batch_operations": {"type": "boolean"},
    "batch_prefix": {"type": "string", "regex": "[^/*?$][^*?$]*/"},
    "alarm_duration_ms": {"type": "integer", "min": 1},
}
