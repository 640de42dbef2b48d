"""The worker as a process of its own, with moto's SQS and a real S3."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

import pytest

from local.doors import INPUT_BUCKET, OUTPUT_BUCKET
from local.processes import free_port
from local.s3 import LocalS3
from scenes.render import Scene
from serving.storage import RESULT_MARK
from serving.worker.queue import Queue
from tests.conftest import listening, results, send, to_jpeg, upload, wait_for
from tests.serving.worker.sqs import VISIBILITY_S, RunningWorker, Sqs, TestQueue, moto_sqs, working
from tests.soak.proxy import Proxy
from tests.test_lambda import recorded


@pytest.fixture(scope="module")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqs]:
    with moto_sqs(tmp_path_factory.mktemp("moto") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def shared(sqs: Sqs) -> TestQueue:
    """The queue of the worker that most tests share."""
    return TestQueue(sqs, "shared")


@pytest.fixture(scope="module")
def worker(s3: LocalS3, shared: TestQueue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A worker that most tests share."""
    with working(s3, shared, tmp_path_factory.mktemp("worker") / "log") as running:
        yield running


@pytest.fixture
def queue(sqs: Sqs, request: pytest.FixtureRequest) -> TestQueue:
    """A queue of one test."""
    return TestQueue(sqs, request.node.name.replace("[", "-").replace("]", "")[:60])


@pytest.fixture
def slow(s3: LocalS3) -> Iterator[Proxy]:
    """A way to the real S3 that can be slow."""
    proxy = Proxy(urlsplit(s3.endpoint).port or 0)
    with proxy.running():
        yield proxy


@pytest.fixture(autouse=True)
def no_results(s3: LocalS3) -> None:
    for key in results(s3):
        s3.client().delete_object(Bucket=OUTPUT_BUCKET, Key=key)


def slowly(proxy: Proxy) -> dict[str, str]:
    """The settings of a worker whose S3 is behind the proxy."""
    return {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{proxy.port}", "S3_READ_TIMEOUT_S": "60"}


def created(key: str, bucket: str = INPUT_BUCKET) -> Any:
    """S3's event about a new object."""
    event = recorded("s3")
    event["Records"][0]["s3"]["object"] |= {"key": quote_plus(key), "size": 1000}
    event["Records"][0]["s3"]["bucket"]["name"] = bucket
    return event


@pytest.mark.parametrize("kind", ["event", "request"])
def test_an_event_and_a_request_each_end_with_a_result_and_a_deleted_message(
    kind: str, worker: RunningWorker, shared: TestQueue, s3: LocalS3, scene: Scene
) -> None:
    key = upload(s3, f"in the {kind}/a+é.jpg", to_jpeg(scene.image))
    done = worker.metric('yolov7_messages_total{outcome="done"}')
    name = shared.send(created(key) if kind == "event" else {"filename": key, "confidence": 0.3})
    assert wait_for(lambda: shared.left() == 0)
    [result] = results(s3)
    assert result.startswith(f"in the {kind}/a+é_")
    found = s3.client().get_object(Bucket=OUTPUT_BUCKET, Key=result)
    assert (found["Metadata"], found["ContentType"]) == (RESULT_MARK, "image/jpeg")
    assert wait_for(lambda: worker.metric('yolov7_messages_total{outcome="done"}') == done + 1)
    assert worker.metric('yolov7_step_duration_seconds_count{step="store"}') == done + 1
    assert worker.metric("yolov7_message_age_seconds_count") > done
    [line] = worker.lines(name)
    assert f"{name} 200 {key} -> {result}" in line


@pytest.mark.parametrize("event", ["s3-test", "s3-folder", "s3-removed"])
def test_events_about_no_new_picture_are_deleted(event: str, worker: RunningWorker, shared: TestQueue) -> None:
    shared.send(recorded(event))
    assert wait_for(lambda: shared.left() == 0)
    assert shared.dead_letters() == []


def test_an_event_about_a_result_is_deleted_and_gives_no_further_result(
    worker: RunningWorker, shared: TestQueue, s3: LocalS3, scene: Scene
) -> None:
    s3.client().put_object(Bucket=INPUT_BUCKET, Key="own_1.jpg", Body=to_jpeg(scene.image), Metadata=RESULT_MARK)
    name = shared.send(created("own_1.jpg"))
    assert wait_for(lambda: shared.left() == 0)
    assert results(s3) == set()
    assert worker.lines(f"{name} skipped: own_1.jpg in bucket")


def test_messages_that_cannot_be_answered_end_in_the_dead_letter_queue(
    worker: RunningWorker, shared: TestQueue, s3: LocalS3
) -> None:
    upload(s3, "text.jpg", b"this is not a picture")
    said = {
        shared.send(created("gone.jpg")): "404 image_not_found: gone.jpg is not in bucket",
        shared.send(created("text.jpg")): "415 not_an_image: ",
        shared.send(
            created("a.jpg", "another-bucket")
        ): "400 invalid_request: the event is about bucket another-bucket",
        shared.send(recorded("sns")): "400 invalid_request: an event of aws:sns is not understood",
        shared.send({"detail-type": "x", "source": "aws.ec2"}): "400 invalid_request: an event of aws.ec2 is not",
        shared.send('{"filename": "a.jpg"'): "415 unsupported_media_type: ",
        shared.send('"text"'): "400 invalid_request: the message is not a JSON object",
        shared.send({"filename": "a.jpg", "iou": 7}): "400 invalid_request: iou: ",
        shared.send(
            {"Records": [recorded("s3")["Records"][0]] * 101}
        ): "400 invalid_request: the event has 101 records",
        shared.send({"Records": [{"eventSource": "aws:s3"}]}): "400 invalid_request: the S3 event is incomplete",
    }
    dead: set[str] = set()

    def all_dead() -> bool:
        dead.update(shared.dead_letters())
        return dead == set(said)

    assert wait_for(all_dead, 30), (said.keys() - dead, dead - said.keys())
    assert shared.left() == 0
    assert results(s3) == set()
    for name, part in said.items():
        lines = worker.lines(name)
        assert [part in line for line in lines] == [True, True], lines  # One line for each delivery.
    assert worker.metric('yolov7_errors_total{code="image_not_found"}') == 2
    assert not worker.lines("Traceback")


def test_a_message_that_takes_longer_than_its_visibility_timeout_is_delivered_once(
    queue: TestQueue, slow: Proxy, s3: LocalS3, scene: Scene, tmp_path: Path
) -> None:
    upload(s3, "slow.jpg", to_jpeg(scene.image))
    with working(s3, queue, tmp_path / "log", **slowly(slow)) as worker:
        slow.delay_s = VISIBILITY_S * 1.5  # Of the first bytes of each response: GET and PUT.
        name = queue.send(created("slow.jpg"))
        assert wait_for(lambda: queue.left() == 0, 60)
        assert len(worker.lines(f"{name} 200")) == 1
        assert worker.metric('yolov7_messages_total{outcome="done"}') == 1
    assert len(results(s3)) == 1
    assert queue.dead_letters() == []


def test_a_worker_killed_in_the_middle_loses_nothing_and_the_next_one_stores_one_result(
    queue: TestQueue, slow: Proxy, s3: LocalS3, scene: Scene, tmp_path: Path
) -> None:
    for number in range(3):
        upload(s3, f"killed-{number}.jpg", to_jpeg(scene.image))
    with working(s3, queue, tmp_path / "killed", **slowly(slow)) as worker:
        slow.delay_s = 30
        for number in range(3):
            queue.send(created(f"killed-{number}.jpg"))
        assert wait_for(lambda: queue.in_work() == 3)
        worker.process.send_signal(signal.SIGKILL)
        assert worker.process.wait(10) == -signal.SIGKILL
    assert (results(s3), queue.left()) == (set(), 3)
    with working(s3, queue, tmp_path / "next"):
        assert wait_for(lambda: queue.left() == 0, 30)
    assert {key.partition("_")[0] for key in results(s3)} == {"killed-0", "killed-1", "killed-2"}
    assert len(results(s3)) == 3
    assert queue.dead_letters() == []


def test_a_message_that_is_delivered_twice_gives_one_result(
    worker: RunningWorker, shared: TestQueue, s3: LocalS3, scene: Scene
) -> None:
    key = upload(s3, "twice.jpg", to_jpeg(scene.image))
    names = [shared.send(created(key)), shared.send(created(key))]
    assert wait_for(lambda: all(worker.lines(name) for name in names))
    assert len(results(s3)) == 1


def test_after_sigterm_the_messages_in_work_are_answered_and_no_other_is_taken(
    queue: TestQueue, slow: Proxy, s3: LocalS3, scene: Scene, tmp_path: Path
) -> None:
    for number in range(4):
        upload(s3, f"drained-{number}.jpg", to_jpeg(scene.image))
    with working(s3, queue, tmp_path / "log", **slowly(slow)) as worker:
        slow.delay_s = 2
        for number in range(3):
            queue.send(created(f"drained-{number}.jpg"))
        assert wait_for(lambda: queue.in_work() == 3)
        time.sleep(1)  # The last of them is on its way to the worker; each takes six seconds there.
        worker.process.send_signal(signal.SIGTERM)
        queue.send(created("drained-3.jpg"))
        assert wait_for(lambda: send(f"{worker.url}/readyz", method="GET").status == 503)
        assert send(f"{worker.url}/livez", method="GET").status == 200
        assert worker.process.wait(30) == 0
    assert {key.partition("_")[0] for key in results(s3)} == {"drained-0", "drained-1", "drained-2"}
    assert (queue.left(), queue.in_work()) == (1, 0)


def test_a_message_that_comes_after_sigterm_goes_back_at_once(
    queue: TestQueue, s3: LocalS3, scene: Scene, tmp_path: Path
) -> None:
    upload(s3, "late.jpg", to_jpeg(scene.image))
    with working(s3, queue, tmp_path / "log") as worker:
        time.sleep(1)  # It polls.
        worker.process.send_signal(signal.SIGTERM)
        assert wait_for(lambda: send(f"{worker.url}/readyz", method="GET").status == 503)
        queue.send(created("late.jpg"))  # To the poll that has begun.
        assert worker.process.wait(30) == 0
    assert results(s3) == set()
    assert (queue.left(), queue.in_work()) == (1, 0)


def test_a_queue_that_goes_away_makes_the_worker_unready_until_it_is_back(
    sqs: Sqs, queue: TestQueue, s3: LocalS3, scene: Scene, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    key = upload(s3, "back.jpg", to_jpeg(scene.image))
    with working(s3, queue, tmp_path / "log") as worker:
        queue.delete()
        assert wait_for(lambda: send(f"{worker.url}/readyz", method="GET").status == 503, 30)
        assert send(f"{worker.url}/livez", method="GET").status == 200
        again = TestQueue(sqs, queue.url.rpartition("/")[2])
        again.send(created(key))
        assert wait_for(lambda: send(f"{worker.url}/readyz", method="GET").status == 200, 60)
        assert wait_for(lambda: again.left() == 0)
        assert worker.lines("does not exist: create it or correct QUEUE_URL")
        assert not worker.lines("Traceback")
    assert len(results(s3)) == 1


def test_it_answers_probes_and_metrics_and_nothing_else(worker: RunningWorker) -> None:
    statuses = {path: send(f"{worker.url}{path}", method="GET").status for path in ("/livez", "/readyz", "/healthz")}
    assert set(statuses.values()) == {200}
    assert b"yolov7_messages_in_progress 0.0" in send(f"{worker.url}/metrics", method="GET").body
    refused = send(f"{worker.url}/predict", {"filename": "a.jpg"})
    assert (refused.status, refused.json["error"]["code"]) == (404, "not_found")
    assert listening(worker.process.pid) == {urlsplit(worker.url).netloc}


def test_the_metrics_are_on_their_port_too(queue: TestQueue, s3: LocalS3, tmp_path: Path) -> None:
    port = free_port()
    with working(s3, queue, tmp_path / "log", METRICS_PORT=str(port)) as worker:
        assert b"yolov7_messages_in_progress" in send(f"http://127.0.0.1:{port}/metrics", method="GET").body
        assert send(f"http://127.0.0.1:{port}/livez", method="GET").status == 200
        assert worker.metric("yolov7_messages_in_progress") == 0


def test_sqs_says_which_messages_it_no_longer_keeps(
    queue: TestQueue, s3: LocalS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    ours = Queue(queue.url)
    ours.check()
    assert ours.visibility_s == VISIBILITY_S
    names = {queue.send("1"), queue.send("2")}
    first, second = ours.receive(2)
    assert {first.id, second.id} == names
    assert abs(time.time() - first.sent) < 60
    ours.delete(first)
    assert ours.hide([first, second], 0) == [first]
    assert [message.id for message in ours.receive(2)] == [second.id]
