"""What stops `make rollout` before it changes anything: one clear line each; and what a plan costs at rest."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from deployment.rollout import push
from deployment.rollout.__main__ import main
from deployment.rollout.config import config_of, read_config
from deployment.rollout.cost import at_rest, region_prices
from deployment.rollout.errors import RolloutError
from deployment.rollout.files import smoke_command
from loadtest.cost.prices import load_prices
from tests.deployment.modules import VALUES, needs_terraform
from tests.deployment.moto_aws import REGION, client, moto_server

DIGEST = "sha256:" + "0b" * 32


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A moto server with both buckets, one bucket elsewhere, and an image for arm64."""
    with moto_server(tmp_path_factory.mktemp("moto") / "log") as env:
        for bucket in (VALUES["input_bucket"], VALUES["output_bucket"]):
            client(env, "s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        far = boto3.client(
            "s3", region_name="eu-north-1", endpoint_url=env["AWS_ENDPOINT_URL"],
            aws_access_key_id="a", aws_secret_access_key="b",
        )  # fmt: skip
        far.create_bucket(Bucket="my-far-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
        ecr = client(env, "ecr")
        ecr.create_repository(repositoryName="yolov7")
        ecr.put_image(repositoryName="yolov7", imageManifest=MANIFEST, imageTag="0a-arm64", imageDigest=DIGEST)
        yield env


MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 2},
        "layers": [],
    }
)


@pytest.fixture
def aws(moto: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The moto server as this process's AWS."""
    for name, value in moto.items():
        monkeypatch.setenv(name, value)
    return moto


def config(folder: Path, platform: str = "lambda", **changes: Any) -> Path:
    """A platform's config with these fields of the spec changed; None deletes one."""
    content = yaml.safe_load(config_of(platform).read_text())
    content["spec"] = {k: v for k, v in (content["spec"] | changes).items() if v is not None}
    file = folder / "deployment_config.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


# Changes of the spec, options, and a part of the one line.
REFUSED: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "a region without prices": (
        {"region": "mars-north-1"}, [], "no prices of region mars-north-1, only of ",
    ),
    "a bucket that does not exist": (
        {"input_bucket": "no-such-bucket"}, [], f"input_bucket no-such-bucket does not exist: create it in {REGION}",
    ),
    "a bucket elsewhere": (
        {"output_bucket": "my-far-bucket"}, [], f"my-far-bucket is in eu-north-1, the deployment in {REGION}",
    ),
    "a state bucket that does not exist": (
        {"state_bucket": "no-such-state"}, [], "state_bucket no-such-state does not exist",
    ),
    "a digest that is not in the repository": (
        {}, [f"--digest={VALUES['image_uri'].partition('@')[2]}"], f"yolov7 in {REGION} has no image sha256:",
    ),
    "something that is not a digest": ({}, ["--digest=latest"], "--digest latest is not sha256: and 64 hexadecimal"),
    "an image of the other architecture": (
        {}, [f"--digest={DIGEST}"], f"image {DIGEST} is for arm64, the spec says x86_64: name another image",
    ),
    "an unknown field": ({"colour": "blue"}, [], "spec.colour is unknown: the fields are in deployment/"),
    "no region": ({"region": None}, [], "spec.region is missing: set it"),
    "a region that is not a text": ({"region": 7}, [], "spec.region is missing: set it"),
}  # fmt: skip


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_clear_line_and_nothing_is_made(
    case: str, aws: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, options, said = REFUSED[case]
    file = config(tmp_path, **changes)
    assert main(["lambda", "--config", str(file), "--yes", *options]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and said in line
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


@pytest.mark.slow
@needs_terraform
def test_without_credentials_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    assert main(["lambda", "--config", str(config(tmp_path)), "--yes"]) == 1
    assert capsys.readouterr().err == "error: no AWS credentials to ask who calls: set a profile, a role or keys\n"


@pytest.mark.slow
@needs_terraform
def test_an_architecture_that_this_machine_cannot_build_is_refused_before_the_build(
    aws: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("podman") or platform.machine() != "x86_64":
        pytest.skip("needs podman on x86_64")
    monkeypatch.setattr(push, "BINFMT", tmp_path / "none")
    assert main(["lambda", "--config", str(config(tmp_path, architecture="arm64")), "--yes"]) == 1
    assert "architecture is arm64, and this machine builds for x86_64" in capsys.readouterr().err


# What the kernel says of an emulator: whether a container can use it.
REGISTERED = {
    "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POCF\noffset 0\n": True,
    "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OC\noffset 0\n": False,
    "disabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: F\noffset 0\n": False,
    "": False,
}


@pytest.mark.parametrize(("text", "works"), REGISTERED.items(), ids=range(len(REGISTERED)))
def test_an_emulator_works_in_containers_if_the_kernel_holds_its_file(
    text: str, works: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "BINFMT", tmp_path)
    (tmp_path / "qemu-aarch64").write_text(text)
    assert (push.emulates("arm64"), push.emulates("x86_64")) == (works, False)


@pytest.mark.parametrize(
    ("here", "options"), [("arm64", []), ("x86_64", ["--architecture", "arm64"])], ids=["same", "other"]
)
def test_an_image_is_built_for_the_architecture_of_the_config(
    here: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`false` is an engine that has no image."""
    built: list[list[str]] = []
    monkeypatch.setattr(push, "HERE", here)
    monkeypatch.setattr(push, "BINFMT", tmp_path)
    monkeypatch.setattr(push, "make_image", lambda arguments: built.append(arguments))
    (tmp_path / "qemu-aarch64").write_text("enabled\nflags: F\n")
    assert not push.check_architecture("false", "0a-arm64", "arm64")
    push.build("yolov7-w6", "0a-arm64", "arm64")
    assert built == [["--model", "yolov7-w6", "--tag", "yolov7:0a-arm64", *options]]


# The text of a config, and a part of the message.
BROKEN = {
    "": "the file must have names and values",
    "spec: [": "is not YAML",
    "- a": "the file must have names and values",
    "spec: 7": "spec must have names and values",
    "spec: {}": "operator None is not of platform lambda: it must be yolov7-aws-lambda",
    "spec: {}\noperator: {name: yolov7-aws-ecs}": "operator yolov7-aws-ecs is not of platform lambda",
    "x" * 100_001: "more than 100000 bytes",
}


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_config_is_one_clear_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(RolloutError) as caught:
        read_config(tmp_path / "config.yaml", "lambda")
    assert BROKEN[text] in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["lambda", "ecs", "fargate"])
def test_the_configs_of_this_checkout_are_good(name: str) -> None:
    found = read_config(config_of(name), name)
    assert (found.region, found.spec["repository"], found.spec["env"]) == (REGION, "yolov7", {"JPEG_QUALITY": "90"})


def resource(kind: str, **values: Any) -> dict[str, Any]:
    """A resource of a plan."""
    return {"type": kind, "values": values}


PRICES = region_prices(load_prices(), REGION)
FUNCTION = resource("aws_lambda_function", memory_size=3000, snap_start=[])
BALANCER, SERVICE = resource("aws_lb"), resource("aws_ecs_service")
HOUR = 730
PLANNED: dict[str, tuple[list[dict[str, Any]], list[str], float]] = {
    "a function": ([FUNCTION], [], 0.0),
    "provisioned instances": (
        [FUNCTION, resource("aws_lambda_provisioned_concurrency_config", provisioned_concurrent_executions=2)],
        ["2 x provisioned instance of 3000 MB"],
        2 * 3000 / 1024 * HOUR * 3600 * PRICES.functions["x86_64"].provisioned_gb_second.usd,
    ),
    "instances": (
        [
            resource("aws_autoscaling_group", min_size=2), resource("aws_launch_template", instance_type="t3a.xlarge"),
            resource("aws_appautoscaling_target", min_capacity=2),
            resource("aws_ecs_task_definition", cpu="2048", memory="14336"), BALANCER, SERVICE,
        ],
        ["2 x t3a.xlarge", "load balancer"],
        HOUR * (2 * PRICES.ec2["t3a.xlarge"].usd + PRICES.alb.hour.usd),
    ),
    "tasks": (
        [
            resource("aws_appautoscaling_target", min_capacity=1),
            resource("aws_ecs_task_definition", cpu="4096", memory="8192"), BALANCER, SERVICE,
        ],
        ["1 x Fargate task of 4 vCPUs and 8192 MiB", "load balancer"],
        HOUR * (4 * PRICES.fargate["x86_64"].vcpu_hour.usd + 8 * PRICES.fargate["x86_64"].gb_hour.usd
                + PRICES.alb.hour.usd),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PLANNED)
def test_the_cost_at_rest_is_that_of_what_runs_all_the_time(case: str) -> None:
    planned, parts, usd = PLANNED[case]
    lines, _ = at_rest(planned, PRICES, "x86_64")
    assert [what for what, _ in lines] == parts
    assert sum(cost for _, cost in lines) == pytest.approx(usd)


def test_what_has_no_price_is_named() -> None:
    planned = [SERVICE, BALANCER, resource("aws_cloudwatch_log_group"), resource("aws_cloudwatch_metric_alarm")]
    assert at_rest(planned, PRICES, "x86_64")[1] == "images in ECR, alarms, stored logs, disks, public IPv4 addresses"


def test_an_instance_type_without_a_price_is_one_clear_line() -> None:
    planned = [resource("aws_autoscaling_group", min_size=1), resource("aws_launch_template", instance_type="z9.huge")]
    with pytest.raises(RolloutError, match=r"no price of instance type z9\.huge, only of .*t3a\.xlarge"):
        at_rest(planned, PRICES, "x86_64")


API = "https://abc.execute-api.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("endpoint", "spec", "command"),
    [
        (API, {}, f"make smoke TARGET={API} AUTH=iam"),
        (API, {"authorizer": "NONE"}, f"make smoke TARGET={API}"),
        (
            API,
            {"authorizer": "JWT"},
            f'API_KEY="Bearer $TOKEN" API_KEY_HEADER=authorization make smoke TARGET={API}',
        ),
        ("http://lb.example", {"launch_type": "EC2"}, "make smoke TARGET=http://lb.example"),
        ("http://lb.example", {"api_keys_arn": "arn"}, "API_KEY=$KEY make smoke TARGET=http://lb.example"),
    ],
)
def test_the_command_that_checks_a_deployment_calls_as_it_lets_callers_in(
    endpoint: str, spec: dict[str, Any], command: str
) -> None:
    assert smoke_command(endpoint, spec) == command


def test_the_tag_of_an_image_says_what_is_in_it(bundled_tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = push.tag_of(bundled_tag, "x86_64")
    assert tag == push.tag_of(bundled_tag, "x86_64")
    assert tag.endswith("-x86_64") and len(tag) == 27
    assert push.tag_of(bundled_tag, "arm64") == tag.replace("x86_64", "arm64")
    monkeypatch.setenv("YOLOV7_BASE", "another")
    assert push.tag_of(bundled_tag, "x86_64") != tag
