"""The ECR repository of the image, which several deployments may share.

A tag of the repository names each deployment that uses it. Its value says whether Terraform has applied the deployment,
so that nobody deletes the images of a running one because its Terraform state is elsewhere.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from deployment.rollout.errors import RolloutError

TAG = "deployment/"  # Prefix of the repository's tags, one for each deployment that uses it.
USED, APPLIED = "in use", "applied"

# Lambda pulls images as the service Lambda, not with the function's role.
PULL_BY_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "PullByLambda",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        }
    ],
}
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Untagged images",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 7,
            },
            "action": {"type": "expire"},
        },
        {
            "rulePriority": 2,
            "description": "Versions beyond the 20 newest",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 20},
            "action": {"type": "expire"},
        },
    ]
}


@contextmanager
def aws(what: str, service: str = "ECR") -> Iterator[None]:
    """Raise each error of AWS as a RolloutError of one line, without credentials."""
    try:
        yield
    except ClientError as exc:
        code = exc.response.get("Error", {}).get("Code", "unknown")
        raise RolloutError(
            f"{service} refused to {what} ({code}): check the credentials and their permissions"
        ) from None
    except (NoCredentialsError, PartialCredentialsError):
        raise RolloutError(f"no AWS credentials to {what}: set a profile, a role or keys") from None
    except BotoCoreError as exc:
        reason = " ".join(str(exc).split())[:200]
        raise RolloutError(f"the request to AWS to {what} failed: {reason}") from None


def _ecr(spec: Mapping[str, Any]) -> Any:
    return boto3.Session().client("ecr", region_name=spec["region"])


def create_repository(spec: Mapping[str, Any], deployment: str) -> tuple[str, str, str, str]:
    """Create the repository unless it exists and tag it with the deployment; returns ARN, URL, user and password."""
    name = spec["repository"]
    with aws(f"create repository {name}"):
        ecr = _ecr(spec)
        try:
            found = ecr.create_repository(
                repositoryName=name,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
                encryptionConfiguration={"encryptionType": "AES256"},
            )["repository"]
        except ecr.exceptions.RepositoryAlreadyExistsException:
            found = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(LIFECYCLE))
        ecr.set_repository_policy(repositoryName=name, policyText=json.dumps(PULL_BY_LAMBDA))
        if f"{TAG}{deployment}" not in _tags(ecr, found["repositoryArn"]):
            _mark(ecr, found["repositoryArn"], deployment, USED)
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    return found["repositoryArn"], found["repositoryUri"], user, password


def mark(spec: Mapping[str, Any], deployment: str, value: str) -> None:
    """Tag the repository, if it exists, with the state of a deployment: USED or APPLIED."""
    with aws(f"tag repository {spec['repository']}"):
        ecr = _ecr(spec)
        arn = _arn(ecr, spec["repository"])
        if arn:
            _mark(ecr, arn, deployment, value)


def _mark(ecr: Any, arn: str, deployment: str, value: str) -> None:
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": f"{TAG}{deployment}", "Value": value}])


def _tags(ecr: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in ecr.list_tags_for_resource(resourceArn=arn)["tags"]}


def _arn(ecr: Any, name: str) -> str | None:
    with suppress(ecr.exceptions.RepositoryNotFoundException):
        return str(ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryArn"])
    return None


def delete_repository(spec: Mapping[str, Any], deployment: str) -> str | None:
    """Delete the repository with its images unless another deployment uses it; then returns a line that names it.

    Raises RolloutError if Terraform has applied this deployment and not destroyed it.
    """
    name = spec["repository"]
    with aws(f"delete repository {name}"):
        ecr = _ecr(spec)
        arn = _arn(ecr, name)
        if arn is None:
            return None
        tags, own = _tags(ecr, arn), f"{TAG}{deployment}"
        if tags.get(own) == APPLIED:
            raise RolloutError(
                f"{deployment} is applied, and this folder does not have its Terraform state, so nothing was deleted: "
                "destroy it where it was applied, or fetch the state of state_bucket by terraform init. If all its "
                f"resources are gone: aws ecr untag-resource --resource-arn {arn} --tag-keys {own}"
            )
        ecr.untag_resource(resourceArn=arn, tagKeys=[own])
        others = sorted(tag.removeprefix(TAG) for tag in tags if tag.startswith(TAG) and tag != own)
        if others:
            return f"ECR repository {name} stays: {', '.join(others)} uses it"
        ecr.delete_repository(repositoryName=name, force=True)
    return None


def look_at_repository(spec: Mapping[str, Any]) -> dict[str, str]:
    """The repository's tags, none if there is no repository; raises RolloutError as delete_repository would."""
    with aws(f"find repository {spec['repository']}"):
        ecr = _ecr(spec)
        arn = _arn(ecr, spec["repository"])
        return _tags(ecr, arn) if arn else {}


def find_image(spec: Mapping[str, Any], **image_id: str) -> dict[str, Any] | None:
    """ECR's description of the image with this `imageTag` or `imageDigest`, or None."""
    with aws(f"describe {spec['repository']}:{next(iter(image_id.values()))}"):
        ecr = _ecr(spec)
        try:
            found = ecr.describe_images(repositoryName=spec["repository"], imageIds=[image_id])
        except (ecr.exceptions.ImageNotFoundException, ecr.exceptions.RepositoryNotFoundException):
            return None
    details: dict[str, Any] = found["imageDetails"][0]
    return details
