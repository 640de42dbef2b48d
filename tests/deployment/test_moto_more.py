"""The moto server of the Terraform tests, to which the provider's SDK repeats requests that were done."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from moto import mock_aws
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.test import Client, TestResponse

from tests.deployment.moto_aws import REGION
from tests.deployment.moto_more import Application

GROUP = {"Action": "CreateSecurityGroup", "GroupName": "mine", "GroupDescription": "of a test"}
RULE = {
    "Action": "AuthorizeSecurityGroupIngress", "IpPermissions.1.IpProtocol": "tcp", "IpPermissions.1.FromPort": "443",
    "IpPermissions.1.ToPort": "443", "IpPermissions.1.IpRanges.1.CidrIp": "10.0.0.0/8",
}  # fmt: skip


@pytest.fixture
def aws() -> Iterator[Client]:
    """A client of the application, without a server."""
    with mock_aws():
        yield Client(Application(create_backend_app))


def send(aws: Client, invocation: str, parameters: dict[str, str], attempt: int = 1) -> TestResponse:
    """A request to EC2, as an SDK sends it."""
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential=a/20260101/{REGION}/ec2/aws4_request, Signature=b",
        "Content-Type": "application/x-www-form-urlencoded",
        "Amz-Sdk-Invocation-Id": invocation,
        "Amz-Sdk-Request": f"attempt={attempt}; max=25",
    }
    return aws.post("/", data=urlencode({"Version": "2016-11-15"} | parameters), headers=headers)


def make_group(aws: Client) -> str:
    """Make a security group and return its id."""
    response = send(aws, "group", GROUP)
    found = ElementTree.fromstring(response.data).findtext("{*}groupId")
    assert found is not None, response.text
    return found


def test_a_repeated_request_gets_the_first_response(aws: Client) -> None:
    rule = RULE | {"GroupId": make_group(aws)}
    first = send(aws, "rule", rule)
    again = send(aws, "rule", rule, attempt=2)
    assert (first.status_code, again.status_code, again.data) == (200, 200, first.data)


def test_another_request_for_the_same_rule_is_an_error(aws: Client) -> None:
    rule = RULE | {"GroupId": make_group(aws)}
    send(aws, "rule", rule)
    other = send(aws, "other", rule)
    assert (other.status_code, "InvalidPermission.Duplicate" in other.text) == (400, True)


def test_a_request_that_failed_is_done_when_it_is_repeated(aws: Client) -> None:
    rule = RULE | {"GroupId": make_group(aws)}
    send(aws, "rule", rule)
    assert send(aws, "other", rule).status_code == 400
    send(aws, "revoked", rule | {"Action": "RevokeSecurityGroupIngress"})
    assert send(aws, "other", rule, attempt=2).status_code == 200
