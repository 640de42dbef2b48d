"""Reads pictures from S3 and writes annotated pictures to it, with boto3."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypedDict

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError, PartialCredentialsError
from botocore.exceptions import ConnectionError as RefusedError
from urllib3.exceptions import HTTPError, IncompleteRead

from serving.bounds import Deadline
from serving.errors import ImageNotFound, ImageTooLarge, NotAnImage, StorageBusy, StorageRefused, StorageTimeout
from serving.settings import Settings

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from urllib3 import HTTPResponse

_CHUNK = 1 << 20  # bytes
_SLOW = frozenset({"RequestTimeout", "InternalError", "500", "504"})
_BUSY = frozenset({"SlowDown", "ServiceUnavailable", "TooManyRequests", "503", "429"})
_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed"})  # The last for a deleted version.
_LONGEST_PAUSE_S = 2.0

# Metadata of every annotated picture, so that events about it are recognised even for a copy in another bucket.
RESULT_MARK = {"made-by": "yolov7-serving"}


class _Owner(TypedDict, total=False):
    ExpectedBucketOwner: str


class _Version(TypedDict, total=False):
    VersionId: str


@dataclass(frozen=True)
class Fetched:
    """The bytes of a picture, its entity tag, and whether this service annotated it."""

    data: bytes
    etag: str
    is_result: bool = False


class Storage(Protocol):
    """The interface between the five steps and an object store."""

    def fetch(self, key: str, deadline: Deadline, version_id: str | None = None) -> Fetched:
        """Read a picture, in its current version or in the given one."""
        ...

    def store(self, key: str, data: bytes, deadline: Deadline) -> str:
        """Write an annotated JPEG and return its URL."""
        ...

    def reconnect(self) -> None:
        """Replace all connections: after a snapshot, copies of this process would share them."""
        ...


def s3_client(settings: Settings) -> S3Client:
    """Make the S3 client of a process, with the timeouts and the bounded retries of the settings."""
    custom = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    # Not the default session, which would keep the credentials that it saw first.
    return boto3.Session().client(
        "s3",
        region_name=os.environ.get("AWS_REGION"),  # boto3 itself reads AWS_DEFAULT_REGION and the profile.
        config=Config(
            signature_version="s3v4",
            connect_timeout=settings.s3_connect_timeout_s,
            read_timeout=settings.s3_read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": settings.s3_attempts},
            max_pool_connections=settings.max_queue,
            # Few S3 servers other than AWS's have one host name per bucket.
            s3={"addressing_style": "path" if custom else "auto"},
        ),
    )


class S3Storage:
    """Pictures in one bucket, annotated pictures in another. Thread-safe, as boto3's clients are."""

    def __init__(self, settings: Settings, client: S3Client | None = None) -> None:
        self._settings = settings
        self._client = client or s3_client(settings)
        self._deadlines = threading.local()
        self._client.meta.events.register("before-send.s3", self._check_deadline)
        self._client.meta.events.register("needs-retry.s3", self._retry_429)  # type: ignore[arg-type]
        owner = settings.expected_bucket_owner
        self._owner: _Owner = {"ExpectedBucketOwner": owner} if owner else {}

    def connect(self) -> None:
        """Open the connections to both buckets in the background, so that the first request finds them open.

        What S3 answers does not matter, and an S3 that cannot be reached is the first request's to report.
        """

        def ask(bucket: str) -> None:
            with suppress(BotoCoreError, ClientError):
                self._client.head_bucket(Bucket=bucket)

        for bucket in {self._settings.input_bucket, self._settings.output_bucket}:
            threading.Thread(target=ask, args=(bucket,), daemon=True).start()

    def reconnect(self) -> None:
        """Drop the open connections and open new ones."""
        self._client.close()
        self.connect()

    def fetch(self, key: str, deadline: Deadline, version_id: str | None = None) -> Fetched:
        """Read a picture; its size is judged from the Content-Length of S3's response, before the bytes are read.

        Raises ImageNotFound, ImageTooLarge, NotAnImage (no bytes), StorageBusy, StorageRefused, StorageTimeout or
        DeadlineExceeded.
        """
        bucket, limit = self._settings.input_bucket, self._settings.max_image_bytes
        version: _Version = {"VersionId": version_id} if version_id else {}
        with _translated(bucket, key, "read"), self._until(deadline):
            for left in reversed(range(self._settings.s3_attempts)):
                answer = self._client.get_object(Bucket=bucket, Key=key, **version, **self._owner)
                size = answer.get("ContentLength", 0)
                try:
                    with closing(answer["Body"]) as body:
                        data = b"" if size > limit else _read(body, size, limit, deadline)
                    break
                except HTTPError:  # The connection broke while the picture was read, which boto3 does not try again.
                    if not left:
                        raise
            etag = answer["ETag"].strip('"')
        if max(size, len(data)) > limit:
            raise ImageTooLarge(
                f"{key} has {max(size, len(data)) / 1e6:.1f} MB; the limit is {limit / 1e6:g} MB (MAX_IMAGE_BYTES): "
                "send a smaller picture"
            )
        if not data:
            raise NotAnImage(f"{key} is empty: upload it again")
        marked = RESULT_MARK.items() <= answer.get("Metadata", {}).items()
        return Fetched(data, etag, is_result=marked)

    def store(self, key: str, data: bytes, deadline: Deadline) -> str:
        """Write an annotated JPEG; raises StorageBusy, StorageRefused, StorageTimeout or DeadlineExceeded.

        S3 writes objects atomically, and no attempt begins after the deadline.
        """
        bucket = self._settings.output_bucket
        with _translated(bucket, key, "write"), self._until(deadline):
            self._client.put_object(
                Bucket=bucket, Key=key, Body=data, ContentType="image/jpeg", Metadata=RESULT_MARK, **self._owner
            )
            url = self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": bucket, "Key": key},
                ExpiresIn=self._settings.result_url_expires_s,
            )
        return url.partition("?")[0] if self._settings.result_url == "public" else url

    @contextmanager
    def _until(self, deadline: Deadline) -> Iterator[None]:
        """Hold the S3 requests of this thread to a deadline."""
        self._deadlines.current = deadline
        try:
            yield
        finally:
            self._deadlines.current = None

    def _check_deadline(self, **_: object) -> None:
        """Called by botocore before each attempt of a request, so that no retry begins after the deadline."""
        if deadline := getattr(self._deadlines, "current", None):
            deadline.check("use S3")

    def _retry_429(self, response: tuple[AWSResponse, object] | None, attempts: int, **_: object) -> float | None:
        """Called by botocore after each attempt; the seconds until the next one, or None to leave it to botocore.

        AWS's S3 answers 503 when it is busy, which botocore tries again; other S3 servers answer 429.
        """
        if response is None or response[0].status_code != 429 or attempts >= self._settings.s3_attempts:
            return None
        return min(random.uniform(0, 0.1 * 2**attempts), _LONGEST_PAUSE_S)


def _read(body: StreamingBody, size: int, limit: int, deadline: Deadline) -> bytes:
    """Read a response to its end, or to one byte more than the limit; raises IncompleteRead below its `size`.

    StreamingBody.read waits until all bytes it was asked for are there, so an S3 that sends one byte a second would
    hold it for days; its raw stream has a read that returns what has come.
    """
    stream: HTTPResponse = body._raw_stream  # type: ignore[attr-defined]
    data = bytearray()
    while len(data) <= limit and (some := stream.read1(min(_CHUNK, limit + 1 - len(data)))):
        data += some
        deadline.check("read the picture")
    if len(data) < size:  # read1 takes a connection that breaks for the end.
        raise IncompleteRead(len(data), size - len(data))
    return bytes(data)


@contextmanager
def _translated(bucket: str, key: str, verb: str) -> Iterator[None]:
    """Translate boto3's errors; the messages contain neither credentials nor signatures."""
    try:
        yield
    except ClientError as exc:
        code = str(exc.response.get("Error", {}).get("Code", "unknown"))[:60]
        if code in _MISSING and verb == "read":
            raise ImageNotFound(f"{key} is not in bucket {bucket}: upload it first") from exc
        if code in _BUSY:
            raise StorageBusy(f"S3 is too busy to {verb} {key} in bucket {bucket} ({code}): try again later") from exc
        if code in _SLOW:
            raise StorageTimeout(f"S3 could not {verb} {key} in bucket {bucket} now ({code}): try again") from exc
        hint = {"NoSuchBucket": "create the bucket or correct its name"}.get(
            code, "check the credentials and what they may do"
        )
        raise StorageRefused(f"S3 refused to {verb} {key} in bucket {bucket} ({code}): {hint}") from exc
    except (NoCredentialsError, PartialCredentialsError) as exc:
        raise StorageRefused(f"no AWS credentials to {verb} bucket {bucket}: set a role, a profile or keys") from exc
    except (RefusedError, HTTPClientError, HTTPError) as exc:  # Refused, timed out, or interrupted.
        raise StorageTimeout(
            f"S3 did not answer in time to {verb} {key} in bucket {bucket} ({type(exc).__name__}): try again"
        ) from exc
    except (KeyError, ValueError) as exc:  # boto3 reads the fields of S3's answer without judging them.
        raise StorageRefused(
            f"S3 gave no answer to {verb} {key} in bucket {bucket} that boto3 understands ({exc!s:.60}): "
            "check the address of S3 (AWS_ENDPOINT_URL_S3)"
        ) from exc
    except BotoCoreError as exc:
        raise StorageRefused(
            f"S3 could not be asked to {verb} bucket {bucket} ({type(exc).__name__}): check the AWS settings"
        ) from exc
