"""The clients of the soak test: threads that send requests one after the other."""

from __future__ import annotations

import http.client
import threading
import time
from random import Random
from urllib.parse import urlsplit

from tests.soak.requests import Asked, Requests
from tests.soak.results import Results
from tests.soak.tally import Tally

ANSWER_WITHIN_S = 60.0
# A killed service may break the connections of these seconds after its restart.
KILL_BREAKS_S = 15.0
S3_STARTS_S = 15.0
PAUSE_AFTER_REFUSAL_S = 0.2


class Clients:
    """`active` of the threads send requests, with `pause_s` between them."""

    def __init__(self, number: int, url: str, requests: Requests, results: Results, tally: Tally, seed: int) -> None:
        self.active, self.pause_s = 0, 0.0
        self.service_killed_at = self.s3_started_at = float("-inf")
        self.s3_is_down = False
        self._address = urlsplit(url).netloc
        self._requests, self._results, self._tally = requests, results, tally
        self._in_work = 0
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(index, Random(f"{seed} {index}"))) for index in range(number)
        ]
        for thread in self._threads:
            thread.start()

    def drain(self) -> None:
        """Send nothing more, and wait for all responses."""
        self.active = 0
        while self._in_work:
            time.sleep(0.05)

    def stop(self) -> None:
        """End the threads."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, index: int, random: Random) -> None:
        connection = self._connection()
        while not self._end.is_set():
            if index >= self.active:
                connection.close()
                time.sleep(0.05)
                continue
            with self._lock:
                self._in_work += 1
            try:
                status = self._ask(connection, self._requests.next(random))
            finally:
                with self._lock:
                    self._in_work -= 1
            if status is None:
                connection.close()
                connection = self._connection()
            refused = status in (None, 503)
            time.sleep(PAUSE_AFTER_REFUSAL_S if refused else self.pause_s * random.uniform(0.5, 1.5))

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._address, timeout=ANSWER_WITHIN_S)

    def _ask(self, connection: http.client.HTTPConnection, asked: Asked) -> int | None:
        """Send one request and judge its response; returns the status, None when there is no response."""
        start = time.monotonic()
        headers = {"Content-Type": "application/json", "X-Request-Id": asked.request_id}
        try:
            connection.request("POST", "/predict", asked.body, headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as exc:
            self._lost(exc, asked, start)
            return None
        starts = self.s3_is_down or time.monotonic() - self.s3_started_at < S3_STARTS_S
        outcome, fault = asked.fault(response.status, response.headers, body, s3_starts=starts)
        self._tally.response(outcome, time.monotonic() - start)
        if fault:
            self._tally.finding(f"{fault} (request {asked.request_id})")
        if response.status == 200 and asked.key:
            self._results.stored(asked.key)
        elif response.status == 504 and asked.key:
            self._results.possible(asked.key)
        return response.status

    def _lost(self, exc: Exception, asked: Asked, start: float) -> None:
        self._tally.response("connection broken", time.monotonic() - start)
        if asked.key:
            self._results.possible(asked.key)
        if time.monotonic() - self.service_killed_at > KILL_BREAKS_S:
            waited = time.monotonic() - start
            self._tally.finding(
                f"no response after {waited:.0f} s ({type(exc).__name__}), and the service was not killed"
            )
