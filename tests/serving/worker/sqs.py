"""Moto's SQS over HTTP, and a real worker process."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import boto3

from local.checkout import ROOT
from local.doors import BUCKETS
from local.processes import free_port, running, wait_until_ready
from local.s3 import REGION, LocalS3
from tests.conftest import BUNDLED, send

VISIBILITY_S = 3


@dataclass(frozen=True)
class Sqs:
    """A moto server."""

    url: str

    def client(self, service: str = "sqs") -> Any:
        """A boto3 client of it."""
        return boto3.client(  # type: ignore[call-overload]
            service, region_name=REGION, endpoint_url=self.url, aws_access_key_id="a", aws_secret_access_key="b"
        )


@contextlib.contextmanager
def moto_sqs(log: Path, **settings: str) -> Iterator[Sqs]:
    """Run moto's own server, which answers other requests while one polls."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, env=os.environ | settings, log=log) as process:
        wait_until_ready(process, f"http://127.0.0.1:{port}/moto-api/", name="moto", log=log, timeout_s=60)
        yield Sqs(f"http://127.0.0.1:{port}")


class TestQueue:
    """A queue with a dead-letter queue, to which SQS moves a message that was received twice."""

    __test__ = False

    def __init__(self, sqs: Sqs, name: str) -> None:
        self._sqs = sqs.client()
        self.dead = self._sqs.create_queue(QueueName=f"{name}-failed")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
        attributes = {"VisibilityTimeout": str(VISIBILITY_S), "RedrivePolicy": redrive}
        self.url = self._sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def send(self, message: object) -> str:
        """Send a message, text unchanged and anything else as JSON; returns its id."""
        body = message if isinstance(message, str) else json.dumps(message)
        return str(self._sqs.send_message(QueueUrl=self.url, MessageBody=body)["MessageId"])

    def left(self) -> int:
        """The messages in the queue, visible or in work."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def in_work(self) -> int:
        """The messages that a worker has."""
        name = "ApproximateNumberOfMessagesNotVisible"
        return int(self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])["Attributes"][name])

    def dead_letters(self) -> list[str]:
        """The ids of the messages in the dead-letter queue, which they leave by this."""
        found = self._sqs.receive_message(QueueUrl=self.dead, MaxNumberOfMessages=10).get("Messages", [])
        return [one["MessageId"] for one in found]

    def delete(self) -> None:
        """Delete the queue."""
        self._sqs.delete_queue(QueueUrl=self.url)


@dataclass(frozen=True)
class RunningWorker:
    """A worker process, and where its pages are."""

    url: str
    process: Popen[bytes]
    log: Path

    def metric(self, name: str) -> float:
        """The value of a metric, by its name with its labels; 0 if there is none yet."""
        for line in send(f"{self.url}/metrics", method="GET").body.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def lines(self, part: str) -> list[str]:
        """The lines of its log that have this part."""
        return [line for line in self.log.read_text().splitlines() if part in line]


def worker_env(s3: LocalS3, queue_url: str) -> dict[str, str]:
    """The environment of a worker with the bundled model."""
    return dict(os.environ) | s3.env | BUCKETS | {"MODEL_FOLDER": str(BUNDLED), "QUEUE_URL": queue_url}


@contextlib.contextmanager
def working(s3: LocalS3, queue: TestQueue, log: Path, **env: str) -> Iterator[RunningWorker]:
    """Run a worker until the end of the block, ready for messages."""
    port = free_port()
    command = [sys.executable, "-m", "serving.worker", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running(command, env=worker_env(s3, queue.url) | env, log=log, cwd=ROOT) as process:
        wait_until_ready(process, f"{url}/readyz", name="the worker", log=log, timeout_s=60)
        yield RunningWorker(url, process, log)
