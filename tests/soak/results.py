"""Watches the output bucket: every 200 has stored its result, and no failed request has stored one."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.doors import OUTPUT_BUCKET
from tests.soak.tally import Tally

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_REMEMBERED = 20_000
PAUSE_S = 0.05
REST_WITHIN_S = 60.0


class Results:
    """Deletes each result that a 200 promised, after looking that it is there; the others must not exist at the end."""

    def __init__(self, s3: S3Client, tally: Tally) -> None:
        self._s3, self._tally = s3, tally
        self._stored: deque[str] = deque(maxlen=MOST_REMEMBERED)
        self._possible: deque[str] = deque(maxlen=MOST_REMEMBERED)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def stored(self, key: str) -> None:
        """Note the result of a 200."""
        self._stored.append(key)

    def possible(self, key: str) -> None:
        """Note a result that may exist: S3 did not confirm it in time, or the connection to the service broke."""
        self._possible.append(key)

    def finish(self) -> None:
        """Look at the rest, and count as findings the objects that no successful request has stored."""
        self._end.set()
        self._thread.join(REST_WITHIN_S)
        if self._stored:
            self._tally.finding(f"S3 could not be asked for {len(self._stored)} results")
            self._stored.clear()
            return
        for key in set(self._possible):
            self._s3.delete_object(Bucket=OUTPUT_BUCKET, Key=key)
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=OUTPUT_BUCKET):
            for entry in page.get("Contents", []):
                self._tally.finding(f"a failed request has stored {entry['Key']}")

    def _work(self) -> None:
        while self._stored or not self._end.is_set():
            if self._stored and self._is_settled(self._stored[0]):
                self._stored.popleft()
            else:
                time.sleep(PAUSE_S)

    def _is_settled(self, key: str) -> bool:
        """Whether S3 said of a result that it is there, or that it is not."""
        try:
            self._s3.head_object(Bucket=OUTPUT_BUCKET, Key=key)
            self._s3.delete_object(Bucket=OUTPUT_BUCKET, Key=key)
        except ClientError as exc:
            if exc.response["Error"]["Code"] != "404":
                return False  # S3 is starting.
            self._tally.finding(f"the result of a 200 is missing: {key}")
        except BotoCoreError:
            return False  # S3 is down.
        return True
