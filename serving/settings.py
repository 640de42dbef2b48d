"""The settings of a serving process, read from the environment once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from dotenv import load_dotenv
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from serving.contract import legal_key
from serving.errors import SettingsError
from serving.keys import ApiKeys

_QUEUE_URL = re.compile(r"https?://[^\s/?#@]+(/[A-Za-z0-9_.-]+)+")


def sample_keys(setting: str) -> list[str]:
    """The keys of PAGE_SAMPLES; raises ValueError for one that is not legal."""
    return [legal_key(key.strip()) for key in setting.split(",") if key.strip()]


def _readable_keys(setting: str) -> str:
    ApiKeys(setting)
    return setting


def _queue_url(setting: str) -> str:
    if setting and not _QUEUE_URL.fullmatch(setting):
        raise ValueError(
            "must be the URL of an SQS queue, e.g. https://sqs.eu-central-1.amazonaws.com/123456789012/name"
        )
    return setting


def _readable_samples(setting: str) -> str:
    sample_keys(setting)
    return setting


class Settings(BaseModel):
    """The settings of a serving process; each field is the environment variable of that name in capitals."""

    model_config = ConfigDict(frozen=True)

    input_bucket: str = Field(min_length=3, description="S3 bucket the pictures are read from")
    output_bucket: str = Field(min_length=3, description="S3 bucket the annotated pictures are written to")
    model: str = Field(
        "yolov7-tiny-scenes", min_length=1, description="tag of a model in BentoML's model store: name or name:version"
    )
    model_folder: str = Field("", description="folder of the model; when set, BentoML's model store is not asked")
    result_prefix: str = Field("", description="put before the key of every annotated picture, e.g. `annotated/`")
    result_url: Literal["presigned", "public"] = Field(
        "presigned", description="what `location` is: `presigned`, or `public` for buckets whose policy is public"
    )
    result_url_expires_s: int = Field(3600, ge=1, le=604_800, description="lifetime of a presigned URL, seconds")
    max_image_bytes: int = Field(20_000_000, ge=1, description="largest picture accepted, bytes")
    max_image_pixels: int = Field(50_000_000, ge=1, description="largest picture accepted, pixels")
    jpeg_quality: int = Field(90, ge=1, le=100, description="JPEG quality of the annotated picture")
    inferences: int = Field(
        1,
        ge=1,
        le=4,
        description="pictures in the network at the same time, which share the cores "
        "([more cores](models.md#more-cores)); Lambda has one request per instance",
    )
    max_queue: int = Field(
        32,
        ge=1,
        description="requests in work or waiting, per process, before 503 is answered; fewer if the last would be late",
    )
    api_keys: Annotated[str, AfterValidator(_readable_keys)] = Field(
        "",
        description="who may call: `name:hash,name:hash`, each hash the SHA-256 of a key; everybody when empty",
    )
    metrics_port: int = Field(
        0, ge=0, le=65_535, description="port on which the service answers /metrics alone; 0 is its own port"
    )
    queue_url: Annotated[str, AfterValidator(_queue_url)] = Field(
        "",
        description="URL of the SQS queue that the [worker](worker.md) reads; the service does not",
    )
    page: Literal["on", "off"] = Field(
        "on", description="whether `/` is the page to try the service, and `/docs` shows its API: `on` or `off`"
    )
    page_samples: Annotated[str, AfterValidator(_readable_samples)] = Field(
        "", description="pictures of the input bucket that the page offers: keys with commas between them"
    )
    request_timeout_s: float = Field(
        25.0, gt=0, le=3600, description="time for a request, its waiting included, seconds"
    )
    expected_bucket_owner: str = Field(
        "", pattern=r"^(\d{12})?$", description="AWS account that must own both buckets, else S3 refuses; empty for any"
    )
    service_version: str = Field(
        "", pattern=r"^[\x21-\x7e]{0,100}$", description="version of the Bento, sent in `X-Version`; the image sets it"
    )
    image_digest: str = Field(
        "",
        pattern=r"^(sha256:[0-9a-f]{64})?$",
        description="digest of the image, sent in `X-Image-Digest`; the Terraform modules set it",
    )
    s3_connect_timeout_s: float = Field(2.0, gt=0, le=3600, description="time to connect to S3, seconds")
    s3_read_timeout_s: float = Field(5.0, gt=0, le=3600, description="time to wait for S3's next byte, seconds")
    s3_attempts: int = Field(3, ge=1, le=10, description="tries per S3 request, the first included")


def load_settings(env_file: Path | None = Path(".env")) -> Settings:
    """Read the settings from the environment and, where a variable is not set, from `env_file`.

    The file's AWS_* variables are put into the environment, where boto3 reads them. Raises SettingsError with one line
    that names every setting that is missing or wrong.
    """
    if env_file is not None:
        load_dotenv(env_file, override=False)
    given = {name: os.environ[name.upper()] for name in Settings.model_fields if name.upper() in os.environ}
    try:
        return Settings.model_validate(given)
    except ValidationError as exc:
        faults = "; ".join(_fault(str(e["loc"][0]).upper(), e["type"], e["msg"]) for e in exc.errors())
        raise SettingsError(
            f"{faults} (set it in the environment or in .env; docs/settings.md lists all settings)"
        ) from None


def model_asked_for(environment: Mapping[str, str]) -> str:
    """The model tag that an environment asks for, or the default; for launchers, which have no settings."""
    return environment.get("MODEL") or str(Settings.model_fields["model"].default)


def _fault(name: str, kind: str, message: str) -> str:
    return f"{name} is not set" if kind == "missing" else f"{name}: {message}"
