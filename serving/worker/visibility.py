"""Keeps the messages in work invisible, so that SQS delivers them to nobody else meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from serving.errors import QueueError
from serving.worker.queue import Message, Queue

logger = logging.getLogger("bentoml.yolov7")


class Visibility:
    """Extends the visibility timeout of the messages in work, each third of it, in a thread."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._in_work: dict[str, Message] = {}
        self._lock = threading.Lock()

    @contextmanager
    def kept(self, message: Message) -> Iterator[None]:
        """Keep a message invisible inside the block."""
        with self._lock:
            self._in_work[message.receipt] = message
        try:
            yield
        finally:
            with self._lock:
                del self._in_work[message.receipt]

    @contextmanager
    def extending(self) -> Iterator[None]:
        """Extend the messages in work inside the block."""
        ended = threading.Event()
        thread = threading.Thread(target=self._extend_until, args=(ended,), name="visibility", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _extend_until(self, ended: threading.Event) -> None:
        while not ended.wait(self._queue.visibility_s / 3):
            with self._lock:
                messages = list(self._in_work.values())
            if messages:
                self._extend(messages)

    def _extend(self, messages: list[Message]) -> None:
        try:
            refused = self._queue.hide(messages, self._queue.visibility_s)
        except QueueError as exc:
            # The next try comes before the time is over. A message that is delivered twice gives the same result.
            logger.warning("%s", exc)
            return
        with self._lock:
            lost = [message.id for message in refused if message.receipt in self._in_work]
        if lost:
            logger.warning("SQS no longer keeps %s invisible: another worker may get it too", ", ".join(lost))
