"""A picture is sent until it is answered: the target's pauses are kept, and what cannot succeed is not repeated."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from backfill.errors import TargetFailed
from backfill.journal import Outcome
from backfill.pictures import Picture
from backfill.send import LONGEST_PAUSE_S, TRIES, HttpTarget, retry_after
from local.processes import free_port
from tests.backfill.target import GOOD, Reply, Target, answer, failure

BUS = Picture(b"a/bus.jpg", "tag", 10)


def http(target: Target | str, **changes: Any) -> HttpTarget:
    url = target if isinstance(target, str) else target.url
    given: dict[str, Any] = {"options": {}, "key": None, "timeout_s": 5.0, "stopping": threading.Event()}
    return HttpTarget(f"{url}/predict", first_pause_s=0.01, **given | changes)


def replies(target: Target, *given: Reply) -> None:
    """Give these replies, and then the last one for ever."""
    left = list(given)
    target.reply = lambda *_: left.pop(0) if len(left) > 1 else left[0]


def one(sender: HttpTarget, picture: Picture = BUS) -> Outcome:
    outcome = sender.send([picture])[0]
    assert outcome is not None
    return outcome


def test_a_key_is_sent_as_json_with_the_options(target: Target) -> None:
    outcome = one(http(target, options={"confidence": 0.5}))
    assert (outcome.state, outcome.code) == ("done", "")
    path, headers, body = target.asked[0]
    assert (path, headers["content-type"]) == ("/predict", "application/json")
    assert body == b'{"confidence": 0.5, "filename": "a/bus.jpg"}'


def test_a_file_is_sent_as_it_is_with_the_options_in_the_query(target: Target, tmp_path: Path) -> None:
    (tmp_path / "b.PNG").write_bytes(b"\x89PNG")
    picture = Picture(b"b.PNG", "", 4, tmp_path / "b.PNG")
    one(http(target, options={"annotate": False, "classes": ["a b", "c"], "iou": 0.5}), picture)
    path, headers, body = target.asked[0]
    assert path == "/predict?annotate=false&classes=a+b&classes=c&iou=0.5"
    assert (headers["content-type"], body) == ("image/png", b"\x89PNG")


def test_a_file_that_is_gone_fails_without_a_request(target: Target, tmp_path: Path) -> None:
    outcome = one(http(target), Picture(b"gone.jpg", "", 4, tmp_path / "gone.jpg"))
    assert (outcome.state, outcome.code, target.asked) == ("failed", "file_unreadable", [])


def test_the_presigned_url_is_not_kept(target: Target) -> None:
    stored = answer(bucket="r", filename="a/bus_1.jpg", location="http://s3/a?X-Amz-Signature=secret")
    replies(target, (200, {}, json.dumps(stored).encode()))
    outcome = one(http(target))
    assert outcome.answer is not None
    assert outcome.answer["filename"] == "a/bus_1.jpg"
    assert "secret" not in json.dumps(outcome.answer)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_target_is_asked_again_as_often_as_it_takes(target: Target, status: int) -> None:
    busy = failure(status, "overloaded")
    replies(target, *[busy] * (TRIES + 3), GOOD)
    assert one(http(target)).state == "done"
    assert len(target.asked) == TRIES + 4


def test_retry_after_is_kept(target: Target) -> None:
    replies(target, failure(503, "overloaded", Retry_After="1"), GOOD)
    start = time.monotonic()
    assert one(http(target)).state == "done"
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_server_error_is_repeated_a_few_times_and_left_for_later(target: Target, status: int) -> None:
    replies(target, failure(status, "internal_error"))
    outcome = one(http(target))
    assert (outcome.state, outcome.code, len(target.asked)) == ("later", "internal_error", TRIES)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (failure(404, "image_not_found"), "image_not_found"),
        (failure(415, "not_an_image"), "not_an_image"),
        (failure(413, "image_too_large"), "image_too_large"),
        ((413, {}, b"<html>too large</html>"), "http_413"),
        ((400, {}, b'{"error": {"code": "\\u001b[31m"}}'), "http_400"),
    ],
)
def test_a_client_error_is_not_repeated(target: Target, reply: Reply, code: str) -> None:
    replies(target, reply)
    outcome = one(http(target))
    assert (outcome.state, outcome.code, len(target.asked)) == ("failed", code, 1)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (failure(401, "unauthorized"), "set API_KEY"),
        (failure(403, "forbidden"), "set API_KEY"),
        (failure(404, "not_found"), "is it the URL"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "answers 302"),
        ((200, {}, b"<html></html>"), "not as /predict does"),
        ((200, {}, b'{"detections": 1}'), "not as /predict does"),
        ((200, {}, b" " * 16_000_001), "more than 16000000 bytes"),
    ],
)
def test_a_response_that_every_picture_would_get_ends_the_run(target: Target, reply: Reply, message: str) -> None:
    replies(target, reply)
    with pytest.raises(TargetFailed, match=message):
        one(http(target))
    assert len(target.asked) == 1


def test_a_target_that_cannot_be_reached_is_tried_a_few_times() -> None:
    outcome = one(http(f"http://127.0.0.1:{free_port()}"))
    assert (outcome.state, outcome.code) == ("later", "no_connection")


def test_a_connection_that_breaks_is_opened_again(target: Target) -> None:
    broken = (200, {"Content-Length": "1000", "Connection": "close"}, b"{")
    replies(target, broken, GOOD)
    assert one(http(target)).state == "done"
    assert len(target.asked) == 2


def test_a_response_that_comes_too_slowly_is_a_timeout(target: Target) -> None:
    target.delay_s = 0.6
    outcome = one(http(target, timeout_s=0.2))
    assert (outcome.state, outcome.code) == ("later", "timeout")


def test_a_pause_ends_when_the_run_is_stopped(target: Target) -> None:
    replies(target, failure(503, "overloaded", Retry_After="30"))
    sender = http(target)
    threading.Timer(0.3, sender.stopping.set).start()
    assert sender.send([BUS]) == [None]
    assert len(target.asked) == 1


def test_the_key_is_sent_in_its_header(target: Target) -> None:
    one(http(target, key=("x-api-key", "a-secret")))
    assert target.asked[0][1]["x-api-key"] == "a-secret"


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("", 0, 0),
        ("2", 2, 2),
        ("99999", LONGEST_PAUSE_S, LONGEST_PAUSE_S),
        ("9" * 5000, LONGEST_PAUSE_S, LONGEST_PAUSE_S),
        ("-1", 0, 0),
        ("soon", 0, 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Thu, 31 Dec 2150 00:00:00 GMT", LONGEST_PAUSE_S, LONGEST_PAUSE_S),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, low: float, high: float) -> None:
    assert low <= retry_after(header) <= high
