"""Clients of S3 and SQS, and their errors in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from backfill.errors import BackfillError, SourceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_RETRIES: Any = {"mode": "standard", "total_max_attempts": 5}


def s3_client() -> S3Client:
    """A client by the usual AWS_* variables and profiles; AWS_ENDPOINT_URL_S3 names another S3."""
    custom = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return boto3.Session().client(
        "s3",
        region_name=os.environ.get("AWS_REGION"),
        config=Config(
            signature_version="s3v4",
            connect_timeout=5,
            read_timeout=30,
            retries=_RETRIES,
            # Few S3 servers other than AWS's have one host name per bucket.
            s3={"addressing_style": "path" if custom else "auto"},
        ),
    )


def sqs_client(queue_url: str) -> Any:
    """A client of the region in a queue's URL, or of AWS_REGION."""
    host = (urlsplit(queue_url).hostname or "").split(".")
    region = host[1] if host[0] == "sqs" and len(host) > 3 else os.environ.get("AWS_REGION")
    config = Config(connect_timeout=5, read_timeout=30, retries=_RETRIES)
    return boto3.Session().client("sqs", region_name=region, config=config)


@contextmanager
def translated(what: str, kind: type[BackfillError] = SourceError) -> Iterator[None]:
    """Translate boto3's errors into one line that begins with `what`."""
    try:
        yield
    except ClientError as exc:
        code = str(exc.response.get("Error", {}).get("Code", "unknown"))[:60]
        raise kind(f"{what}: AWS refused it ({code}): check the name, the credentials and what they may do") from exc
    except (NoCredentialsError, PartialCredentialsError) as exc:
        raise kind(f"{what}: there are no AWS credentials: set a role, a profile or keys") from exc
    except (BotoCoreError, ValueError) as exc:  # ValueError: an endpoint or a name that boto3 cannot use.
        raise kind(f"{what}: {type(exc).__name__}: check the AWS settings and the connection") from exc
