"""Requests as messages of a real SQS interface (moto over HTTP), and as a manifest in a real S3."""

from __future__ import annotations

import csv
import io
import json
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from moto.server import ThreadedMotoServer

from backfill.cli import main
from backfill.errors import TargetFailed
from backfill.pictures import Picture
from backfill.queues import QueueTarget
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET
from local.s3 import LocalS3
from serving.contract import PredictRequest
from serving.result_names import ResultNames
from tests.conftest import upload

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL_SQS": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    yield boto3.client("sqs", region_name="us-east-1")
    server.stop()


def messages(sqs: Any, url: str) -> list[dict[str, Any]]:
    """Take all messages from a queue."""
    found = []
    while some := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for one in some:
            found.append(json.loads(one["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return found


@pytest.mark.slow
def test_each_key_is_one_message_and_a_second_start_sends_only_new_ones(
    sqs: Any, tmp_path: Path, capsys: Captured
) -> None:
    url = sqs.create_queue(QueueName="requests")["QueueUrl"]
    keys = [f"a/{number} é%.jpg" for number in range(23)]
    (tmp_path / "keys.txt").write_text("\n".join(keys))
    command = [str(tmp_path / "keys.txt"), "--queue", url, "--confidence", "0.5", "--results", str(tmp_path / "r")]
    assert main(command) == 0
    sent = messages(sqs, url)
    assert sorted(sent, key=lambda m: keys.index(m["filename"])) == [{"filename": k, "confidence": 0.5} for k in keys]
    assert all(PredictRequest.model_validate(message) for message in sent)
    assert f"aws sqs get-queue-attributes --queue-url {url} " in capsys.readouterr().out
    (tmp_path / "keys.txt").write_text("\n".join([*keys, "new.jpg"]))
    assert main(command) == 0
    assert messages(sqs, url) == [{"filename": "new.jpg", "confidence": 0.5}]


def test_a_queue_that_is_not_there_is_one_line(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="requests")["QueueUrl"] + "-gone"
    target = QueueTarget(url, {}, threading.Event())
    with pytest.raises(TargetFailed, match=r"queue .*requests-gone: AWS refused it \(.*NonExistentQueue\)"):
        target.send([Picture(b"a.jpg")])


def test_a_folder_cannot_be_sent_to_a_queue(sqs: Any, tmp_path: Path, capsys: Captured) -> None:
    assert main([str(tmp_path), "--queue", "http://127.0.0.1/q"]) == 1
    assert "copy the folder to the input bucket" in capsys.readouterr().err


@pytest.fixture
def aws(s3: LocalS3, monkeypatch: pytest.MonkeyPatch) -> LocalS3:
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    return s3


def test_a_manifest_has_the_pictures_without_a_result_and_the_command_names_it(aws: LocalS3, capsys: Captured) -> None:
    for name in ('a b,"c.jpg', "é+%.png", "done.jpg", "note.txt"):
        upload(aws, f"manifest/{name}", b"1")
    etag = aws.client().head_object(Bucket=INPUT_BUCKET, Key="manifest/done.jpg")["ETag"].strip('"')
    names = ResultNames(INPUT_BUCKET, "out/", 90, "m", "1")
    done = names.key(PredictRequest(filename="manifest/done.jpg", iou=0.5, classes=["a", "b"]), etag)
    aws.client().put_object(Bucket=OUTPUT_BUCKET, Key=done, Body=b"1")
    command = [f"s3://{INPUT_BUCKET}/manifest/", "--batch-operations", f"s3://{OUTPUT_BUCKET}/jobs/1.csv"]
    command += ["--output", f"s3://{OUTPUT_BUCKET}/out/", "--model", "m:1"]
    assert main([*command, "--iou", "0.5", "--class", "a", "--class", "b"]) == 0
    object_ = aws.client().get_object(Bucket=OUTPUT_BUCKET, Key="jobs/1.csv")
    rows = list(csv.reader(io.StringIO(object_["Body"].read().decode())))
    assert {(bucket, unquote(key)) for bucket, key in rows} == {
        (INPUT_BUCKET, "manifest/a b,\"c.jpg"), (INPUT_BUCKET, "manifest/é+%.png"),
    }  # fmt: skip
    output = capsys.readouterr().out
    assert output.startswith(f"2 pictures are in s3://{OUTPUT_BUCKET}/jobs/1.csv; 1 have a result, 0 have keys")
    words = shlex.split(output.partition("aws s3control ")[2].replace("\\\n", " "))
    given = dict(zip(words[1::2], words[2::2], strict=False))
    location = {"ObjectArn": f"arn:aws:s3:::{OUTPUT_BUCKET}/jobs/1.csv", "ETag": object_["ETag"].strip('"')}
    assert json.loads(given["--manifest"])["Location"] == location
    arguments = json.loads(given["--operation"])["LambdaInvoke"]["UserArguments"]
    assert arguments == {"iou": "0.5", "classes": "a,b"}
    assert json.loads(given["--report"])["Prefix"] == "jobs"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["s3://none-of-this-name/a/", "--batch-operations", "s3://b/m.csv"], "bucket none-of-this-name cannot be"),
        ([f"s3://{INPUT_BUCKET}/nothing/", "--batch-operations", "s3://b/m.csv"], "no picture needs a request"),
        ([f"s3://{INPUT_BUCKET}/", "--batch-operations", "s3://b/m/"], "s3://b/m/ is not an object"),
        ([f"s3://{INPUT_BUCKET}/", "--batch-operations", "s3://b/m.csv", "--output", "s3://c"], "go together"),
        (["KEYS", "--batch-operations", "s3://b/m.csv"], "name it by --bucket"),
        (["KEYS", "--bucket", "b", "--batch-operations", "s3://none-of-this-name/m.csv"], "cannot be written"),
    ],
)
def test_an_impossible_manifest_is_one_line(
    aws: LocalS3, tmp_path: Path, capsys: Captured, arguments: list[str], message: str
) -> None:
    (tmp_path / "keys.txt").write_text("a.jpg")
    assert main([str(tmp_path / "keys.txt") if word == "KEYS" else word for word in arguments]) == 1
    output = capsys.readouterr().err
    assert message in output
    assert output.count("\n") == 1
