"""Reading and writing pictures with a real S3 server, and failures of S3."""

from __future__ import annotations

import io
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest

from local.doors import INPUT_BUCKET, OUTPUT_BUCKET
from local.processes import free_port
from local.s3 import SECRET_KEY, LocalS3
from serving.bounds import Deadline
from serving.errors import (
    DeadlineExceeded,
    ImageNotFound,
    ImageTooLarge,
    NotAnImage,
    RequestError,
    StorageBusy,
    StorageRefused,
    StorageTimeout,
)
from serving.settings import Settings
from serving.storage import S3Storage
from tests.conftest import results, upload

Make = Callable[..., S3Storage]


@pytest.fixture
def storage(s3: LocalS3, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make a storage on the real server; lower-case arguments change settings, upper-case ones the environment."""

    def make(**changes: object) -> S3Storage:
        for name, value in s3.env.items():
            monkeypatch.setenv(name, value)
        for name in [name for name in changes if name.isupper()]:
            monkeypatch.setenv(name, str(changes.pop(name)))
        settings = {"input_bucket": INPUT_BUCKET, "output_bucket": OUTPUT_BUCKET, "s3_attempts": 1}
        return S3Storage(Settings.model_validate(settings | {"s3_read_timeout_s": 5.0} | changes))

    return make


def test_fetch_gives_bytes_and_entity_tag(s3: LocalS3, storage: Make) -> None:
    key = upload(s3, "été/写 真+1.jpg", b"one")
    fetched = storage().fetch(key, Deadline(60))
    data, tag = fetched.data, fetched.etag
    assert data == b"one"
    upload(s3, key, b"two")
    assert storage().fetch(key, Deadline(60)).etag != tag


def test_fetch_gives_the_version_that_is_asked_for(s3: LocalS3, storage: Make) -> None:
    client, made = s3.client(), storage(input_bucket="versions")
    client.create_bucket(Bucket="versions")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    first, second = (client.put_object(Bucket="versions", Key="a.jpg", Body=b)["VersionId"] for b in (b"one", b"two"))
    assert [made.fetch("a.jpg", Deadline(60), version).data for version in (None, first, second)] == [
        b"two", b"one", b"two",
    ]  # fmt: skip
    deleted = client.delete_object(Bucket="versions", Key="a.jpg")["VersionId"]
    assert made.fetch("a.jpg", Deadline(60), first).data == b"one"
    client.delete_object(Bucket="versions", Key="a.jpg", VersionId=first)
    for version in (None, deleted, first):
        with pytest.raises(ImageNotFound):
            made.fetch("a.jpg", Deadline(60), version)


def test_store_writes_a_jpeg_and_gives_a_url_that_anyone_can_read(s3: LocalS3, storage: Make) -> None:
    url = storage().store("annotated/été 1.jpg", b"picture", Deadline(60))
    with urllib.request.urlopen(url) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"picture", "image/jpeg")
    assert "X-Amz-Expires=3600" in url
    assert SECRET_KEY not in url


def test_store_gives_the_plain_url_for_a_public_bucket(s3: LocalS3, storage: Make) -> None:
    url = storage(result_url="public").store("a/é.jpg", b"picture", Deadline(60))
    assert url == f"{s3.endpoint}/{OUTPUT_BUCKET}/a/%C3%A9.jpg"


def test_fetch_checks_the_size_before_it_reads(s3: LocalS3, storage: Make) -> None:
    key = upload(s3, "large.jpg", b"x" * 3_000_000)
    with pytest.raises(ImageTooLarge, match=r"^large.jpg has 3.0 MB; the limit is 2 MB "):
        storage(max_image_bytes=2_000_000).fetch(key, Deadline(60))


FETCH_ERRORS = [
    ("missing.jpg", {}, ImageNotFound, "missing.jpg is not in bucket yolov7-pictures"),
    ("a.jpg", {"input_bucket": "no-such-bucket"}, StorageRefused, "NoSuchBucket"),
    ("a.jpg", {"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, StorageRefused, "check the credentials"),
    ("a.jpg", {"AWS_ACCESS_KEY_ID": "nobody"}, StorageRefused, "check the credentials"),
    ("a.jpg", {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:{closed}"}, StorageTimeout, "did not answer"),
]


@pytest.mark.parametrize(("key", "changes", "kind", "message"), FETCH_ERRORS)
def test_fetch_translates_errors(
    key: str, changes: dict[str, str], kind: type[RequestError], message: str, s3: LocalS3, storage: Make
) -> None:
    upload(s3, "a.jpg", b"x")
    made = storage(**{name: value.format(closed=free_port()) for name, value in changes.items()})
    with pytest.raises(kind) as caught:
        made.fetch(key, Deadline(60))
    assert message in str(caught.value)
    assert not {"wrong-secret", SECRET_KEY, "Signature"} & set(str(caught.value).split())


def test_fetch_names_missing_credentials(storage: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = storage(AWS_CONFIG_FILE=tmp_path / "none", AWS_SHARED_CREDENTIALS_FILE=tmp_path / "none")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    made = S3Storage(Settings(input_bucket=INPUT_BUCKET, output_bucket=OUTPUT_BUCKET))
    with pytest.raises(StorageRefused, match="no AWS credentials"):
        made.fetch("a.jpg", Deadline(60))


def test_fetch_refuses_an_empty_object(s3: LocalS3, storage: Make) -> None:
    with pytest.raises(NotAnImage, match=r"^empty.jpg is empty"):
        storage().fetch(upload(s3, "empty.jpg", b""), Deadline(60))


def test_store_into_a_missing_bucket_writes_nothing(s3: LocalS3, storage: Make) -> None:
    before = results(s3)
    with pytest.raises(StorageRefused, match=r"write x.jpg in bucket no-such-bucket \(NoSuchBucket\): create the"):
        storage(output_bucket="no-such-bucket").store("x.jpg", b"x", Deadline(60))
    assert results(s3) == before
    assert "no-such-bucket" not in {bucket["Name"] for bucket in s3.client().list_buckets()["Buckets"]}


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()


@pytest.mark.parametrize("verb", ["read", "write"])
def test_an_s3_server_that_never_responds_is_a_timeout(verb: str, silent_server: int, storage: Make) -> None:
    made = storage(AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{silent_server}", s3_read_timeout_s=0.2)
    with pytest.raises(StorageTimeout, match=f"did not answer in time to {verb} a.jpg"):
        made.fetch("a.jpg", Deadline(60)) if verb == "read" else made.store("a.jpg", b"x", Deadline(60))


@pytest.fixture
def dripping_server() -> Iterator[int]:
    """An S3 server that sends one byte of a picture every 50 ms, 1,000 in all."""
    head = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 1000\r\n\r\n'

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65_536)
            connection.sendall(head)
            while True:
                connection.sendall(b"x")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_slow_download_stops_at_the_deadline(dripping_server: int, storage: Make) -> None:
    made = storage(AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{dripping_server}")
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"stopped after 0.3 s \(REQUEST_TIMEOUT_S\), before it could read"):
        made.fetch("a.jpg", Deadline(0.3))
    assert time.monotonic() - start < 3  # Not the 50 s of the whole picture.


@pytest.mark.parametrize("verb", ["read", "write"])
def test_no_attempt_begins_after_the_deadline(verb: str, s3: LocalS3, storage: Make) -> None:
    key, before = upload(s3, "late.jpg", b"one"), results(s3)
    with pytest.raises(DeadlineExceeded, match="before it could use S3"):
        storage().fetch(key, Deadline(0)) if verb == "read" else storage().store(key, b"x", Deadline(0))
    assert results(s3) == before
    assert storage().fetch(key, Deadline(60)).data == b"one"


def test_the_size_limit_applies_to_a_picture_without_a_length(s3: LocalS3, storage: Make) -> None:
    made = storage(max_image_bytes=10)

    class Chunked:
        """The response of an S3 that does not say how long it is."""

        def __init__(self, data: bytes) -> None:
            self._raw_stream = io.BytesIO(data)

        def close(self) -> None:
            """Nothing to close."""

    def fetch(size: int) -> bytes:
        answer = {"Body": Chunked(bytes(size)), "ETag": "1"}
        with mock.patch.object(made._client, "get_object", return_value=answer):
            return made.fetch("a.jpg", Deadline(60)).data

    assert fetch(10) == bytes(10)
    with pytest.raises(ImageTooLarge, match="the limit is"):
        fetch(11)


class ScriptedS3:
    """An S3 that gives one of these responses to each request in turn, on a connection of its own, and then hangs up.

    Real S3 servers cannot be asked to be busy, or to break off.
    """

    def __init__(self, *responses: bytes) -> None:
        self.requests: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._answer, args=(responses,), daemon=True).start()

    def _answer(self, responses: tuple[bytes, ...]) -> None:
        with self._server:
            for response in responses:
                connection, _ = self._server.accept()
                with connection:
                    self.requests.append(connection.recv(65_536).decode())
                    connection.sendall(response)


def picture(sent: bytes, length: int) -> bytes:
    return b'HTTP/1.1 200 OK\r\nETag: "1"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' % (length, sent)


BUSY = b"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("first", [BUSY, picture(b"on", 3), picture(b"", 3)], ids=["429", "broken off", "no byte"])
def test_a_busy_s3_and_a_picture_that_breaks_off_are_tried_again(first: bytes, storage: Make) -> None:
    server = ScriptedS3(first, picture(b"one", 3))
    assert storage(AWS_ENDPOINT_URL_S3=server.url, s3_attempts=2).fetch("a.jpg", Deadline(60)).data == b"one"
    assert len(server.requests) == 2


GIVEN_UP = [
    (BUSY, StorageBusy, r"S3 is too busy to read a.jpg in bucket yolov7-pictures \(429\): try again later"),
    (picture(b"on", 3), StorageTimeout, "S3 did not answer in time to read a.jpg"),
]


@pytest.mark.parametrize(("response", "kind", "message"), GIVEN_UP)
def test_after_the_last_try_the_error_says_what_it_was(
    response: bytes, kind: type[RequestError], message: str, storage: Make
) -> None:
    server = ScriptedS3(response, response, picture(b"one", 3))
    with pytest.raises(kind, match=message):
        storage(AWS_ENDPOINT_URL_S3=server.url, s3_attempts=2).fetch("a.jpg", Deadline(60))
    assert len(server.requests) == 2


def test_s3_is_told_whose_the_buckets_must_be(storage: Make) -> None:
    server = ScriptedS3(picture(b"one", 3), b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    made = storage(AWS_ENDPOINT_URL_S3=server.url, expected_bucket_owner="123456789012")
    made.fetch("a.jpg", Deadline(60))
    made.store("b.jpg", b"two", Deadline(60))
    for request in server.requests:
        assert "x-amz-expected-bucket-owner: 123456789012" in request


ODD = [
    (picture(b"one", 3).replace(b'ETag: "1"\r\n', b""), r"\('ETag'\)"),
    (picture(b"one", 3).replace(b"ETag", b"Last-Modified: x\r\nETag"), "Invalid timestamp"),
    (picture(b"one", 3).replace(b": 3", b": x"), "invalid literal"),
]


@pytest.mark.parametrize(("response", "reason"), ODD)
def test_an_answer_that_is_not_s3s_is_the_operators_to_correct(response: bytes, reason: str, storage: Make) -> None:
    made = storage(AWS_ENDPOINT_URL_S3=ScriptedS3(response).url)
    with pytest.raises(StorageRefused, match=f"no answer to read a.jpg .* that boto3 understands .*{reason}"):
        made.fetch("a.jpg", Deadline(60))
