"""Writes the pictures as a manifest of S3 Batch Operations, and the command that creates the job."""

from __future__ import annotations

import csv
import json
import posixpath
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from backfill.aws import s3_client, translated
from backfill.errors import SourceError
from backfill.pictures import Picture


def write_manifest(pictures: Iterator[Picture], bucket: str, to_bucket: str, to_key: str) -> tuple[int, str]:
    """Write `bucket,key` rows with URL-encoded keys to an object; returns their number and the object's entity tag."""
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            for picture in pictures:
                count += 1
                rows.writerow((bucket, quote(picture.name, safe="/")))
        if not count:
            raise SourceError("no picture needs a request, so there is no manifest")
        with translated(f"s3://{to_bucket}/{to_key} cannot be written"), path.open("rb") as body:
            etag = s3_client().put_object(Bucket=to_bucket, Key=to_key, Body=body)["ETag"].strip('"')
    return count, etag


def create_job(to_bucket: str, to_key: str, etag: str, options: Mapping[str, Any]) -> str:
    """The command that creates the job; the words in capitals are left to the user."""
    invoke: dict[str, Any] = {"FunctionArn": "FUNCTION_ARN", "InvocationSchemaVersion": "2.0"}
    if options:
        invoke["UserArguments"] = {
            name: ",".join(value) if isinstance(value, list) else json.dumps(value) for name, value in options.items()
        }
    spec = {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]}
    manifest = {"Spec": spec, "Location": {"ObjectArn": f"arn:aws:s3:::{to_bucket}/{to_key}", "ETag": etag}}
    report = {
        "Bucket": f"arn:aws:s3:::{to_bucket}", "Prefix": posixpath.dirname(to_key) or "reports",
        "Format": "Report_CSV_20180820", "Enabled": True, "ReportScope": "AllTasks",
    }  # fmt: skip
    parts = {
        "account-id": "ACCOUNT", "operation": json.dumps({"LambdaInvoke": invoke}), "manifest": json.dumps(manifest),
        "report": json.dumps(report), "priority": "10", "role-arn": "ROLE_ARN",
    }  # fmt: skip
    lines = [f"  --{name} {shlex.quote(value)}" for name, value in parts.items()]
    return " \\\n".join(["aws s3control create-job", *lines, "  --no-confirmation-required"])
