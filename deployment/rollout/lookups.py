"""What AWS knows before a rollout: the account, the buckets, and images of the repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from deployment.rollout.config import Config
from deployment.rollout.errors import RolloutError
from deployment.rollout.registry import aws, find_image

BUCKETS = ("input_bucket", "output_bucket", "state_bucket")


def repository_of(config: Config) -> tuple[str, str]:
    """ARN and URL of the repository, whether it exists or not; raises RolloutError without credentials."""
    with aws("ask who calls", "STS"):
        arn = boto3.Session().client("sts", region_name=config.region).get_caller_identity()["Arn"]
    _, partition, _, _, account, _ = arn.split(":", 5)
    domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    name = config.spec["repository"]
    return (
        f"arn:{partition}:ecr:{config.region}:{account}:repository/{name}",
        f"{account}.dkr.ecr.{config.region}.{domain}/{name}",
    )


def check_buckets(config: Config) -> list[str]:
    """Raise RolloutError for a bucket that does not exist or is elsewhere; returns those that may not be looked up."""
    unseen = []
    for field in BUCKETS:
        name = config.spec.get(field)
        if name and not _looked_up(field, str(name), config.region):
            unseen.append(
                f"{field} {name} cannot be looked up with these credentials; it must exist in {config.region}"
            )
    return unseen


def _looked_up(field: str, name: str, region: str) -> bool:
    with aws(f"look up bucket {name}", "S3"):
        try:
            found = boto3.Session().client("s3", region_name=region).head_bucket(Bucket=name)
        except ClientError as exc:
            answer: Mapping[str, Any] = exc.response.get("ResponseMetadata", {})
            status = answer.get("HTTPStatusCode")
            if status == 404:
                raise RolloutError(f"{field} {name} does not exist: create it in {region}, or name another") from None
            if status not in (301, 400, 403):
                raise
            where = answer.get("HTTPHeaders", {}).get("x-amz-bucket-region")
            _check_region(field, name, where, region)
            return False
    where = found.get("BucketRegion") or found["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    _check_region(field, name, where, region)
    return True


def _check_region(field: str, name: str, where: str | None, region: str) -> None:
    if where and where != region:
        raise RolloutError(f"{field} {name} is in {where}, the deployment in {region}: name a bucket of {region}")


def check_digest(config: Config, digest: str) -> None:
    """Raise RolloutError unless the repository has the image, and for the architecture of the spec."""
    found = find_image(config.spec, imageDigest=digest)
    name, wanted = config.spec["repository"], config.spec["architecture"]
    if found is None:
        raise RolloutError(
            f"ECR repository {name} in {config.region} has no image {digest}: "
            f"aws ecr list-images --repository-name {name} lists them"
        )
    for tag in found.get("imageTags", []):
        architecture = tag.rpartition("-")[2]
        if architecture in ("x86_64", "arm64") and architecture != wanted:
            raise RolloutError(f"image {digest} is for {architecture}, the spec says {wanted}: name another image")
