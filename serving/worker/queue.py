"""The SQS queue of the worker, by boto3."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from serving.errors import QueueError

POLL_S = 10  # SQS answers at once when there is a message. An idle worker stops within this time.
MIN_VISIBILITY_S, MAX_VISIBILITY_S = 2, 43_200

_REGION = re.compile(r"(?:sqs\.)?([a-z]{2,}(?:-[a-z]+)+-\d)\..*")
_MISSING = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "InvalidAddress"})

logger = logging.getLogger("bentoml.yolov7")


@dataclass(frozen=True)
class Message:
    """A received message; `receipt` names this delivery of it, `sent` is the time it was sent, seconds since 1970."""

    id: str
    receipt: str
    body: str
    sent: float


class Queue:
    """One SQS queue. Thread-safe, as boto3's clients are.

    A message that is received is invisible for `visibility_s` seconds, the queue's own visibility timeout.
    """

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        region = _REGION.fullmatch(address.hostname or "")
        self._url = url
        self.visibility_s = 30
        try:
            self._client: Any = boto3.Session().client(
                "sqs",
                region_name=region[1] if region else os.environ.get("AWS_REGION"),
                # The queue is where its URL says, e.g. also at a local server.
                endpoint_url=os.environ.get("AWS_ENDPOINT_URL_SQS") or f"{address.scheme}://{address.netloc}",
                config=Config(
                    connect_timeout=5,
                    read_timeout=POLL_S + 10,
                    retries={"mode": "standard", "total_max_attempts": 3},
                ),
            )
        except (BotoCoreError, ValueError) as exc:
            raise QueueError(f"SQS cannot be asked about {url} ({exc!s:.200}): check the AWS settings") from None

    def check(self) -> None:
        """Read the queue's attributes; raises QueueError if the queue is gone or refuses us."""
        with self._translated("read the attributes of"):
            found = self._client.get_queue_attributes(
                QueueUrl=self._url, AttributeNames=["VisibilityTimeout", "RedrivePolicy"]
            )["Attributes"]
            self.visibility_s = min(max(int(found["VisibilityTimeout"]), MIN_VISIBILITY_S), MAX_VISIBILITY_S)
        if "RedrivePolicy" not in found:
            logger.warning("%s has no dead-letter queue: a message that fails comes again and again", self._url)

    def receive(self, most: int) -> list[Message]:
        """Wait up to POLL_S for messages, at most 10; raises QueueError."""
        with self._translated("receive from"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=POLL_S,
                VisibilityTimeout=self.visibility_s,
                AttributeNames=["SentTimestamp"],
            )
            return [
                Message(
                    id=one["MessageId"],
                    receipt=one["ReceiptHandle"],
                    body=one["Body"],
                    sent=int(one.get("Attributes", {}).get("SentTimestamp", time.time() * 1000)) / 1000,
                )
                for one in answer.get("Messages", [])
            ]

    def delete(self, message: Message) -> None:
        """Delete a message that is answered; raises QueueError."""
        with self._translated("delete from"):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt)

    def hide(self, messages: Sequence[Message], seconds: int) -> list[Message]:
        """Keep at most 10 messages invisible for so many seconds from now; 0 gives them back at once.

        Returns those that SQS refused, because they are deleted or were delivered again; raises QueueError.
        """
        entries = [
            {"Id": str(number), "ReceiptHandle": message.receipt, "VisibilityTimeout": seconds}
            for number, message in enumerate(messages)
        ]
        with self._translated("change the visibility of messages in"):
            answer = self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            return [messages[int(one["Id"])] for one in answer.get("Failed", [])]

    @contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        """Translate boto3's errors; the messages contain neither credentials nor signatures."""
        try:
            yield
        except ClientError as exc:
            code = str(exc.response.get("Error", {}).get("Code", "unknown"))[:60]
            if code in _MISSING:
                raise QueueError(f"the queue {self._url} does not exist: create it or correct QUEUE_URL") from exc
            raise QueueError(
                f"SQS refused to {verb} {self._url} ({code}): check the credentials and what they may do"
            ) from exc
        except (NoCredentialsError, PartialCredentialsError) as exc:
            raise QueueError(f"no AWS credentials to {verb} {self._url}: set a role, a profile or keys") from exc
        except BotoCoreError as exc:
            raise QueueError(
                f"SQS did not answer to {verb} {self._url} ({type(exc).__name__}): check QUEUE_URL and the network"
            ) from exc
        except (KeyError, TypeError, ValueError) as exc:  # boto3 reads the fields of an answer without judging them.
            raise QueueError(
                f"the answer to {verb} {self._url} is not one of SQS ({type(exc).__name__}): check QUEUE_URL"
            ) from exc
