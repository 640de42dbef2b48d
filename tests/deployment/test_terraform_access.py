"""Who may call a deployment, and what the load balancer forwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from serving.contract import ErrorAnswer
from tests.deployment.modules import CERTIFICATE, EVERYBODY, PARAMETER, SECRET, blocks_of, needs_terraform
from tests.deployment.terraform_files import dynamic_blocks, literal
from tests.deployment.terraform_program import Evaluation


def test_the_http_api_asks_for_signed_requests_unless_another_authorizer_is_named() -> None:
    (variable,) = [b for b in blocks_of("lambda") if b.address == "variable.authorizer"]
    assert literal(variable.body["default"]) == "AWS_IAM"


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(
    ("values", "ingress"),
    [
        ({}, [("data.aws_vpc.this.cidr_block", 80)]),
        ({"vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"]}, [("data.aws_vpc.this.cidr_block", 80)]),
        (
            {"certificate_arn": CERTIFICATE},
            [("data.aws_vpc.this.cidr_block", 80), ("data.aws_vpc.this.cidr_block", 443)],
        ),
        ({"allowed_cidrs": ["10.0.0.0/8", "192.168.0.0/16"]}, [("10.0.0.0/8", 80), ("192.168.0.0/16", 80)]),
        (EVERYBODY | {"certificate_arn": CERTIFICATE}, [("0.0.0.0/0", 80), ("0.0.0.0/0", 443)]),
    ],
)
def test_the_load_balancer_is_open_to_its_vpc_or_to_the_given_ranges(
    values: dict[str, Any], ingress: list[tuple[str, int]], evaluated: Callable[..., Evaluation]
) -> None:
    found = evaluated("ecs", **values).values["alb_ingress"]
    assert sorted((rule["cidr"], rule["port"]) for rule in found.values()) == ingress


@pytest.mark.slow
def test_the_load_balancer_is_internal_unless_it_is_opened_by_name() -> None:
    defaults = {b.labels[0]: b.body.get("default") for b in blocks_of("ecs") if b.kind == "variable"}
    assert (defaults["internet_facing"], defaults["allowed_cidrs"], defaults["allow_plain_http"]) == (False, [], False)


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(
    ("page", "pages"), [(False, set()), (True, {"/", "/docs", "/static_content/swagger-ui*"})], ids=["closed", "page"]
)
def test_only_what_is_served_is_forwarded(page: bool, pages: set[str], evaluated: Callable[..., Evaluation]) -> None:
    values = evaluated("ecs", page=page).values
    paths = {rule["path"] for rule in values["served"].values()}
    assert paths == {"/predict", "/docs.json"} | pages
    assert len({rule["priority"] for rule in values["served"].values()}) == len(paths)
    assert ErrorAnswer.model_validate_json(values["not_found"]).error.code == "not_found"
    targets = [b.address for b in blocks_of("ecs") if "target_group_arn" in str(b.body) and "aws_lb_" in b.labels[0]]
    assert targets == ["aws_lb_listener_rule.served"]


def test_a_person_logs_in_before_a_request_is_forwarded() -> None:
    (rule,) = [b.body for b in blocks_of("ecs") if b.address == "aws_lb_listener_rule.served"]
    [(name, for_each, login)], [forward] = list(dynamic_blocks(rule)), rule["action"]
    assert (name, for_each) == ("action", "${var.oidc == null ? [] : [var.oidc]}")
    assert (literal(login["type"]), login["order"]) == ("authenticate-oidc", 1)
    assert login["authenticate_oidc"][0]["on_unauthenticated_request"] == "${each.value.without_session}"
    assert (literal(forward["type"]), forward["order"]) == ("forward", "${var.oidc == null ? 1 : 2}")


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(("arn", "service"), [(None, ""), (SECRET, "secretsmanager"), (PARAMETER, "ssm")])
def test_the_container_gets_api_keys_as_a_secret(
    arn: str | None, service: str, evaluated: Callable[..., Evaluation]
) -> None:
    values = evaluated("ecs", api_keys_arn=arn).values
    container = values["container"]
    assert container["secrets"] == ([{"name": "API_KEYS", "valueFrom": arn}] if arn else [])
    assert values["api_keys_service"] == service
    assert "API_KEYS" not in {pair["name"] for pair in container["environment"]}
