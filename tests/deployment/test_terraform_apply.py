"""Terraform itself with the AWS provider applies every variant of both modules to moto; `make test-terraform`.

The provider comes from the folder TERRAFORM_PLUGINS, as `terraform init -plugin-dir` wants it, or from the registry.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.deployment.modules import MODULES, VALUES
from tests.deployment.moto_aws import FORGOTTEN, PLANNED_ONLY, made, moto_server, prepare
from tests.deployment.terraform_provider import Root, asked_version, changed, environment, errors, find_provider
from tests.deployment.variants import GOOD, NOT_TOGETHER

pytestmark = pytest.mark.slow

VARIANTS = {f"{name}-{module}": values for module in MODULES for name, values in GOOD[module].items()}
REFUSED = {f"refused-{n}-{module}": (values, said) for n, (module, values, said) in enumerate(NOT_TOGETHER)}
APPLIED = sorted(VARIANTS.keys() - PLANNED_ONLY.keys())
BUCKETS = {str(v) for values in [VALUES, *VARIANTS.values()] for k, v in values.items() if k.endswith("bucket")}


@dataclass(frozen=True)
class Life:
    """What Terraform said and did from the first plan to the end, and what there was in AWS meanwhile."""

    provider: str
    planned: dict[str, list[str]]
    faults: list[str]
    second: list[dict[str, Any]]
    before: dict[str, int]
    between: dict[str, int]
    after: dict[str, int]
    refusals: list[str]
    after_refusals: dict[str, int]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """One life of all variants together, since Terraform waits a minute for a load balancer, but for many at a time."""
    provider = find_provider()
    if isinstance(provider, str):
        pytest.skip(provider)
    with moto_server(tmp_path_factory.mktemp("moto") / "log") as aws:
        yield live(Root(tmp_path_factory.mktemp("terraform"), environment(aws), provider), aws)


def live(root: Root, aws: dict[str, str]) -> Life:
    """Refuse, plan, apply, plan again, destroy."""
    real, start, faults = prepare(aws, BUCKETS), time.monotonic(), []
    before = made(aws)
    root.write({name: placed(values, real) for name, (values, _) in REFUSED.items()})
    refusals = errors(root.messages("apply", "-auto-approve"))
    after_refusals = made(aws)

    root.write({name: placed(values, real) for name, values in VARIANTS.items()})
    validated = root.terraform("validate", "-no-color")
    faults += [] if validated.returncode == 0 else [validated.stdout + validated.stderr]
    messages = root.messages("plan")
    faults += errors(messages)
    planned: dict[str, list[str]] = {}
    for message in messages:
        if message["type"] == "planned_change" and message["change"]["action"] == "create":
            place = message["change"]["resource"]
            planned.setdefault(place["module"].removeprefix("module."), []).append(place["resource_type"])

    root.write({name: placed(VARIANTS[name], real) for name in APPLIED})
    faults += errors(root.messages("apply", "-auto-approve"))
    between = made(aws)
    root.terraform("plan", "-out=second", "-parallelism=30")
    second = json.loads(root.terraform("show", "-json", "second").stdout)["resource_changes"]
    faults += errors(root.messages("destroy", "-auto-approve"))
    told = (
        f"hashicorp/aws {root.version()} ({'TERRAFORM_PLUGINS' if root.provider.folder else 'the registry'}) applied "
        f"{len(APPLIED)} variants, {sum(len(planned.get(n, [])) for n in APPLIED)} resources, to moto "
        f"in {time.monotonic() - start:.0f} s; versions.tf asks for {asked_version()}"
        + (f", which the copies had replaced by {root.provider.version}" if root.provider.version else "")
    )
    return Life(told, planned, faults, second, before, between, made(aws), refusals, after_refusals)


def placed(values: Any, real: dict[str, str]) -> Any:
    """Values with the identifiers of what there is in moto."""
    if isinstance(values, dict):
        return {k: placed(v, real) for k, v in values.items()}
    if isinstance(values, list):
        return [placed(v, real) for v in values]
    return real.get(values, values) if isinstance(values, str) else values


def test_terraform_has_no_fault_to_find(life: Life, record_property: Callable[[str, object], None]) -> None:
    record_property("terraform", life.provider)
    for name, why in PLANNED_ONLY.items():
        record_property("terraform", f"{name} was planned only: {why}")
    assert life.faults == []


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_a_variant_is_planned(name: str, life: Life) -> None:
    assert len(life.planned[name]) >= (14 if name.endswith("-lambda") else 22)


@pytest.mark.parametrize("name", APPLIED)
def test_a_second_plan_changes_nothing_but_what_moto_forgets(name: str, life: Life) -> None:
    found = [c for c in life.second if c["module_address"] == f"module.{name}" and c["mode"] == "managed"]
    assert sorted(c["type"] for c in found) == sorted(life.planned[name])
    for resource in found:
        if resource["change"]["actions"] != ["no-op"]:
            assert changed(resource["change"]) <= FORGOTTEN.get(resource["type"], set()), resource["address"]


def test_what_is_made_is_there_and_a_destroy_leaves_nothing(life: Life) -> None:
    assert life.after == life.before
    assert [kind for kind, number in life.between.items() if number <= life.before[kind]] == []


@pytest.mark.parametrize("said", sorted({said for _, said in REFUSED.values()}))
def test_values_that_do_not_go_together_are_refused_before_anything_is_made(said: str, life: Life) -> None:
    # Terraform does not say which module a condition is in, so each must be said as often as it must be.
    assert sum(said in error for error in life.refusals) >= sum(said == other for _, other in REFUSED.values())
    assert life.after_refusals == life.before
