"""Sends requests to an SQS queue, ten per call; workers or the function answer them."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from typing import Any

from backfill.aws import sqs_client, translated
from backfill.errors import TargetFailed
from backfill.journal import Outcome
from backfill.pictures import Picture
from backfill.send import LONGEST_PAUSE_S, TRIES, body_of


class QueueTarget:
    """A queue whose messages are requests of /predict; thread-safe, as boto3's clients are."""

    batch = 10  # The most that SQS takes at once.

    def __init__(self, url: str, options: Mapping[str, Any], stopping: threading.Event) -> None:
        self._url, self._options, self._stopping = url, options, stopping
        with translated(f"queue {url}", TargetFailed):
            self._client = sqs_client(url)

    def send(self, pictures: list[Picture]) -> list[Outcome | None]:
        """What became of each message; those that SQS did not take now are `later`. Raises TargetFailed."""
        outcomes: list[Outcome | None] = [None] * len(pictures)
        waiting = {str(number): picture for number, picture in enumerate(pictures)}
        for attempt in range(1, TRIES + 1):
            entries = [
                {"Id": number, "MessageBody": body_of(picture, self._options).decode()}
                for number, picture in waiting.items()
            ]
            with translated(f"queue {self._url}", TargetFailed):
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            for entry in answer.get("Successful", []):
                outcomes[int(entry["Id"])] = Outcome("sent")
            for entry in answer.get("Failed", []):
                state = "failed" if entry.get("SenderFault") else "later"
                outcomes[int(entry["Id"])] = Outcome(state, entry["Code"][:60], message=entry.get("Message", "")[:500])  # type: ignore[arg-type]
            waiting = {n: p for n, p in waiting.items() if (o := outcomes[int(n)]) is None or o.state == "later"}
            if not waiting or self._stopping.wait(random.uniform(0, min(LONGEST_PAUSE_S, 0.5 * 2**attempt))):
                break
        return outcomes


def how_to_watch(url: str) -> str:
    """What to do after the last message."""
    return (
        "The queue's workers answer the requests from here on. Watch them:\n"
        f"  aws sqs get-queue-attributes --queue-url {url} "
        "--attribute-names ApproximateNumberOfMessages ApproximateNumberOfMessagesNotVisible"
    )
