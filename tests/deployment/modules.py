"""The two Terraform modules under test: their blocks, and values for their variables."""

from __future__ import annotations

from typing import Any

import pytest

from local.checkout import ROOT
from tests.deployment.terraform_files import Block, read_folder
from tests.deployment.terraform_program import PROGRAM

FOLDER = ROOT / "deployment" / "terraform"
MODULES = ["lambda", "ecs"]

needs_terraform = pytest.mark.skipif(PROGRAM is None, reason="terraform is not installed")
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
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:keys-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-central-1:123456789012:parameter/yolov7/keys"
CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
WEB_ACL = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/mine/1"
OIDC = {
    "issuer": "https://issuer.example",
    "authorization_endpoint": "https://issuer.example/authorize",
    "token_endpoint": "https://issuer.example/token",
    "user_info_endpoint": "https://issuer.example/userinfo",
    "client_id": "yolov7",
}
EVERYBODY = {"internet_facing": True, "allowed_cidrs": ["0.0.0.0/0"]}


def blocks_of(module: str) -> list[Block]:
    """The blocks of one module."""
    return read_folder(FOLDER / module)
