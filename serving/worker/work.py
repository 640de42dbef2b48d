"""The loop of the worker: receive, answer, delete."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from serving.errors import EventFailed, QueueError
from serving.events import Predict
from serving.messages import Messages
from serving.worker.metrics import WorkerMetrics
from serving.worker.queue import Message, Queue
from serving.worker.visibility import Visibility

# Beside INFERENCES; they fetch, store and delete. More would only hold messages longer.
SPARE_THREADS = 2
LONGEST_PAUSE_S = 30.0

logger = logging.getLogger("bentoml.yolov7")


class Worker:
    """Answers the messages of a queue until it is stopped; `ready` says whether the last request to SQS succeeded.

    A message is deleted once its result is stored. One that fails is left alone, so SQS delivers it again after its
    visibility timeout and at last moves it to the dead-letter queue.
    """

    def __init__(
        self, queue: Queue, messages: Messages, metrics: WorkerMetrics, threads: int = 1 + SPARE_THREADS
    ) -> None:
        self._queue = queue
        self._messages = messages
        self._metrics = metrics
        self._visibility = Visibility(queue)
        self._threads = threads
        self._free = threading.Semaphore(threads)
        self._stopped = False
        self.ready = False

    def stop(self) -> None:
        """Receive no more and let `run` return; takes no lock, so that a signal handler may call it."""
        self._stopped = True
        self.ready = False

    def run(self, predict: Predict) -> None:
        """Answer messages by `predict`; returns when it is stopped and all messages in work are answered."""
        failures = 0
        with self._visibility.extending(), ThreadPoolExecutor(self._threads, "message") as pool:
            self.ready = not self._stopped
            while not self._stopped:
                if not (most := self._take_free_threads()):
                    continue
                messages = self._receive(most)
                for message in messages:
                    pool.submit(self._answer, message, predict)
                for _ in range(most - len(messages)):
                    self._free.release()
                failures = 0 if self.ready else failures + 1
                if failures:
                    self._pause(min(2.0**failures, LONGEST_PAUSE_S) * random.uniform(0.5, 1))

    def _receive(self, most: int) -> Sequence[Message]:
        """The messages to answer, none when SQS fails or the worker was stopped meanwhile."""
        try:
            messages = self._queue.receive(most)
        except QueueError as exc:
            self.ready = False
            logger.error("%s", exc)
            return ()
        if self._stopped:
            self._give_back(messages)
            return ()
        self.ready = True
        return messages

    def _take_free_threads(self) -> int:
        """Take all free threads; 0 if none becomes free within a second."""
        taken = int(self._free.acquire(timeout=1))
        while taken and taken < self._threads and self._free.acquire(blocking=False):
            taken += 1
        return taken

    def _answer(self, message: Message, predict: Predict) -> None:
        """Answer one message, count what became of it, and free its thread."""
        try:
            with self._metrics.in_work.track_inprogress(), self._visibility.kept(message):
                outcome = self._outcome(message, predict)
            self._metrics.messages.labels(outcome).inc()
            self._metrics.age.observe(max(0.0, time.time() - message.sent))
        finally:
            self._free.release()

    def _outcome(self, message: Message, predict: Predict) -> str:
        try:
            self._messages.answer(message.body, predict, message.id)
        except EventFailed:  # The observer has logged why.
            return "failed"
        except Exception:  # A defect: the worker goes on, and the message stays.
            logger.exception("%s 500 internal_error", message.id)
            return "failed"
        try:
            self._queue.delete(message)
        except QueueError as exc:
            logger.error("%s is answered, but will be delivered again: %s", message.id, exc)
            return "undeleted"
        return "done"

    def _give_back(self, messages: Sequence[Message]) -> None:
        """Let another worker have messages that came after the stop."""
        if messages:
            try:
                self._queue.hide(messages, 0)
            except QueueError as exc:
                logger.warning("%s", exc)  # They become visible later.

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopped and time.monotonic() < end:
            time.sleep(0.2)
