"""The documented job of S3 Batch Operations agrees with the API's model, the Terraform module and the function."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

from local.checkout import ROOT
from tests.deployment.modules import blocks_of
from tests.deployment.terraform_files import unquote
from tests.fakes import FakeStorage
from tests.serving.aws.test_batch_events import result, with_arguments
from tests.serving.aws.test_events import PICTURE, answering

Parameters = dict[str, Any]
PLACES = {"var.deployment_name": "yolov7", "var.region": "eu-central-1"}


@pytest.fixture(scope="module")
def create_job() -> OperationModel:
    """CreateJob in botocore's model of the API."""
    return botocore.session.get_session().get_service_model("s3control").operation_model("CreateJob")


@pytest.fixture(scope="module")
def job(create_job: OperationModel) -> Parameters:
    """The parameters of the documented command, as the AWS CLI reads them."""
    page = (ROOT / "docs" / "lambda.md").read_text()
    (command,) = re.findall(r"^```\n(aws s3control create-job .*?)^```$", page, re.M | re.S)
    words = shlex.split(command.replace("\\\n", " "))[3:]
    shape = create_job.input_shape
    assert isinstance(shape, StructureShape)
    names = {re.sub("(?<=[a-z])(?=[A-Z])", "-", name).lower(): name for name in shape.members}
    found: Parameters = {}
    while words:
        option = words.pop(0).removeprefix("--")
        name = names.get(option.removeprefix("no-"), "")
        kind = shape.members[name].type_name if name else ""
        if kind == "boolean":
            found[name] = not option.startswith("no-")
            continue
        text = words.pop(0)
        if option != "region":  # Of the CLI itself.
            found[name] = text if kind == "string" else json.loads(text)
    return found


def faults(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """The enumerations and patterns that a value does not fit, which botocore leaves to the service."""
    if isinstance(shape, StructureShape):
        for name, inner in value.items():
            yield from faults(inner, shape.members[name], f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for inner in value:
            yield from faults(inner, shape.member, f"{path}[]")
    elif isinstance(shape, MapShape):
        for inner in value.values():
            yield from faults(inner, shape.value, f"{path}{{}}")
    elif shape.type_name == "string":
        if (known := shape.metadata.get("enum")) and value not in known:
            yield f"{path}: {value} is not one of {known}"
        if (pattern := shape.metadata.get("pattern")) and not re.fullmatch(pattern.strip("^$"), value):
            yield f"{path}: {value} is not {pattern}"


def judged(job: Parameters, create_job: OperationModel) -> list[str]:
    """What the API would say against the parameters of a job."""
    shape = create_job.input_shape
    assert shape is not None
    # The CLI makes the token against creating a job twice.
    complete = {"ClientRequestToken": "1"} | job
    report = ParamValidator().validate(complete, shape)
    return [report.generate_report()] if report.has_errors() else [*faults(complete, shape)]


def test_the_documented_job_is_accepted_by_the_model_of_the_api(job: Parameters, create_job: OperationModel) -> None:
    assert judged(job, create_job) == []
    assert job["ConfirmationRequired"] is False


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("SourceBucket", "SourceS3BucketArn", "SourceBucket"),
        ("Report_CSV_20180820", "CSV", "is not one of"),
        ("arn:aws:s3:::my-pictures", "my-pictures", "is not arn"),
        ('"EnableManifestOutput": true', '"EnableManifestOutput": "yes"', "EnableManifestOutput"),
        ('["2024/"]', '"2024/"', "MatchAnyPrefix"),
    ],
)
def test_a_wrong_job_is_found(old: str, new: str, fault: str, job: Parameters, create_job: OperationModel) -> None:
    text = json.dumps(job)
    assert text.count(old) == 1
    assert any(fault in found for found in judged(json.loads(text.replace(old, new)), create_job))


def place(expression: str) -> str:
    """A name of the module for the documented deployment."""
    for name, value in PLACES.items():
        expression = expression.replace(f"${{{name}}}", value)
    return unquote(expression)


def test_the_documented_job_has_the_names_of_the_module(job: Parameters) -> None:
    blocks = {block.address: block.body for block in blocks_of("lambda")}
    (locals_,) = [b.body for b in blocks_of("lambda") if b.kind == "locals" and "function_name" in b.body]
    role, function = place(blocks["aws_iam_role.batch_operations"]["name"]), place(locals_["function_name"])
    alias = unquote(blocks["aws_lambda_alias.live"]["name"])
    assert job["RoleArn"] == f"arn:aws:iam::{job['AccountId']}:role/{role}"
    called = job["Operation"]["LambdaInvoke"]["FunctionArn"]
    assert called == f"arn:aws:lambda:eu-central-1:{job['AccountId']}:function:{function}:{alias}"


def test_the_documented_job_writes_where_its_role_may(job: Parameters) -> None:
    blocks = {block.address: block.body for block in blocks_of("lambda")}
    prefix = unquote(blocks["variable.batch_prefix"]["default"])
    manifests = job["ManifestGenerator"]["S3JobManifestGenerator"]["ManifestOutputLocation"]
    # S3 puts a slash between these prefixes and its own names.
    assert f"{job['Report']['Prefix']}/" == f"{manifests['ManifestPrefix']}/" == prefix
    assert job["Report"]["Bucket"] == manifests["Bucket"]


def test_the_documented_arguments_are_understood_by_the_function(job: Parameters) -> None:
    operation = job["Operation"]["LambdaInvoke"]
    event = with_arguments(operation["UserArguments"])
    assert event["invocationSchemaVersion"] == operation["InvocationSchemaVersion"]
    for answer in answering(FakeStorage({"my pictureé.jpg": PICTURE})):
        assert result(answer(event))[0] == "Succeeded"
