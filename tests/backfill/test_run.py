"""The loop: requests in flight are bounded, useless runs end, and existing results are left out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backfill.errors import SourceError, TargetFailed
from backfill.existing import Existing, names_by, request_for
from backfill.journal import Journal, Outcome, State
from backfill.pictures import Picture
from backfill.run import Run
from backfill.selection import Selection
from serving.result_names import ResultNames
from tests.backfill.target import answer

DONE = Outcome("done", answer=answer())
NAMES = ResultNames("pictures", "out/", 77, "m", "1")


class Pictures:
    """A source of some pictures; it can fail after them."""

    name, bucket, folder = "s3://pictures/", "pictures", ""

    def __init__(self, *given: Picture | None, error: Exception | None = None) -> None:
        self._given, self._error = given, error

    def pictures(self) -> Iterator[Picture | None]:
        yield from self._given
        if self._error:
            raise self._error


class Recorder:
    """A target that answers as a function says, and keeps what was sent and how many calls were in flight."""

    def __init__(self, reply: Callable[[Picture], Outcome | None] = lambda _: DONE, batch: int = 1) -> None:
        self.reply, self.batch = reply, batch
        self.sent: list[list[str]] = []
        self.now = self.most = 0
        self._lock = threading.Lock()

    def send(self, pictures: list[Picture]) -> list[Outcome | None]:
        with self._lock:
            self.sent.append([picture.key for picture in pictures])
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.005)
        outcomes = [self.reply(picture) for picture in pictures]
        with self._lock:
            self.now -= 1
        return outcomes


def some(count: int) -> list[Picture]:
    return [Picture(b"%d.jpg" % number, "tag", 1) for number in range(count)]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite", {})
    yield opened
    opened.close()


def run(journal: Journal, target: Recorder, *pictures: Picture | None, learns: bool = False, **changes: Any) -> Run:
    given: dict[str, Any] = {"source": Pictures(*pictures), "options": {}, "stopping": threading.Event()}
    return Run(Selection(journal=journal, **given | changes), target, 3, learns)


def test_as_many_requests_are_in_flight_as_asked_for(journal: Journal) -> None:
    target = Recorder()
    one = run(journal, target, *some(30))
    one.go()
    assert target.most == 3
    assert sorted(target.sent) == sorted([picture.key] for picture in some(30))
    assert journal.counts() == {"done": 30}


def test_a_queue_gets_ten_pictures_at_once(journal: Journal) -> None:
    target = Recorder(lambda _: Outcome("sent"), batch=10)
    run(journal, target, *some(25)).go()
    assert sorted(map(len, target.sent)) == [5, 10, 10]
    assert journal.counts() == {"sent": 25}


def test_a_second_run_sends_only_what_is_not_done(journal: Journal) -> None:
    run(journal, Recorder(), *some(5)).go()
    target = Recorder()
    one = run(journal, target, *some(7), None)
    one.go()
    assert sorted(target.sent) == [["5.jpg"], ["6.jpg"]]
    assert (one.selection.counts.listed, one.selection.counts.others, one.selection.counts.journaled) == (7, 1, 5)


@pytest.mark.parametrize("key", ["a\nb.jpg", "a//b.jpg", "../b.jpg", "\x1b[31m.jpg", "é" * 600 + ".jpg"])
def test_a_key_that_the_contract_refuses_is_not_sent(journal: Journal, key: str) -> None:
    target = Recorder()
    run(journal, target, Picture(key.encode(), "tag"), Picture(b"a.jpg")).go()
    assert target.sent == [["a.jpg"]]
    assert journal.counts() == {"done": 1, "invalid_request": 1}


def test_a_target_that_is_down_ends_the_run(journal: Journal) -> None:
    target = Recorder(lambda _: Outcome("later", "no_connection", message="refused"))
    with pytest.raises(TargetFailed, match=r"the last 1[0-2] pictures failed, .* no_connection \(refused\)"):
        run(journal, target, *some(1000)).go()
    assert 10 <= len(target.sent) <= 15


def test_a_few_failures_do_not_end_the_run(journal: Journal) -> None:
    target = Recorder(lambda p: Outcome("later", "timeout") if int(p.key[:-4]) % 2 else DONE)
    run(journal, target, *some(40)).go()
    assert journal.counts() == {"done": 20, "timeout": 20}


def test_a_service_with_another_bucket_ends_the_run(journal: Journal) -> None:
    target = Recorder(lambda _: Outcome("failed", "image_not_found", message="it is not in bucket other"))
    with pytest.raises(TargetFailed, match=r"none of the first 2[0-2] pictures .*bucket other.*in its INPUT_BUCKET"):
        run(journal, target, *some(1000)).go()


def test_what_is_in_flight_is_recorded_when_the_source_fails(journal: Journal) -> None:
    source = Pictures(*some(2), error=SourceError("bucket pictures cannot be listed"))
    with pytest.raises(SourceError):
        run(journal, Recorder(), source=source).go()
    assert journal.counts() == {"done": 2}


def test_a_stopped_run_records_what_is_in_flight_and_takes_nothing_new(journal: Journal) -> None:
    stopping = threading.Event()

    def reply(_: Picture) -> Outcome:
        stopping.set()
        return DONE

    target = Recorder(reply)
    run(journal, target, *some(1000), stopping=stopping).go()
    assert 1 <= len(target.sent) <= 3
    assert journal.counts() == {"done": len(target.sent)}


@pytest.mark.parametrize("state", ["begun", "later"])
def test_a_picture_whose_answer_was_lost_is_sent_again_though_its_result_exists(journal: Journal, state: State) -> None:
    """A killed run leaves results in the bucket whose detections nobody has received."""
    lost, has = some(2)
    journal.record([(lost, Outcome(state))])
    journal.add_results(NAMES.key(request_for(picture, {}), picture.tag) for picture in (lost, has))
    target = Recorder()
    run(journal, target, lost, has, existing=Existing(journal, NAMES, "results", {})).go()
    assert target.sent == [[lost.key]]


def test_a_picture_without_an_answer_at_the_end_is_not_recorded(journal: Journal) -> None:
    run(journal, Recorder(lambda _: None), *some(2)).go()
    assert journal.counts() == {}


def stored(picture: Picture, names: ResultNames = NAMES, **more: Any) -> dict[str, Any]:
    """An answer for a picture whose result was stored."""
    return answer(bucket="results", filename=names.key(request_for(picture, {}), picture.tag), **more)


def test_the_first_answer_tells_which_pictures_have_a_result(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    first, has, changed, without = some(4)
    changed_before = Picture(changed.name, "an older tag", 1)
    keys = [NAMES.key(request_for(picture, {}), picture.tag) for picture in (has, changed_before)]
    asked = []

    def objects(bucket: str, prefix: str) -> Iterator[tuple[str, str, int]]:
        asked.append((bucket, prefix))
        return ((key, "", 1) for key in keys)

    monkeypatch.setattr("backfill.existing.objects", objects)
    target = Recorder(lambda picture: Outcome("done", answer=stored(picture)))
    one = run(journal, target, first, has, changed, without, learns=True)
    one.go()
    assert target.sent[0] == [first.key]
    assert sorted(target.sent[1:]) == [[changed.key], [without.key]]
    assert asked == [("results", "out/")]
    assert one.selection.counts.existing == 1


@pytest.mark.parametrize("quality", [1, 77, 90, 100])
@pytest.mark.parametrize("prefix", ["", "out/", "a.jpg_"])
@pytest.mark.parametrize("name", ["a.jpg", "2024/a.b (1).jpeg", "é/[x].png"])
def test_one_answer_tells_how_results_are_named(quality: int, prefix: str, name: str) -> None:
    picture, names = Picture(name.encode(), "tag"), ResultNames("pictures", prefix, quality, "m", "1")
    assert names_by("pictures", picture, {}, stored(picture, names)) == names


def test_an_answer_for_another_bucket_or_without_a_result_tells_nothing() -> None:
    picture = some(1)[0]
    assert names_by("other", picture, {}, stored(picture)) is None
    assert names_by("pictures", picture, {}, answer()) is None
    assert names_by("pictures", Picture(picture.name), {}, stored(picture)) is None


def test_results_in_the_bucket_of_the_pictures_are_not_sent(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ResultNames("pictures", "", 90, "m", "1")
    pictures = some(2)
    result = Picture(b"old_0123456789ab.jpg", "tag")
    monkeypatch.setattr("backfill.existing.objects", lambda *_: iter(()))
    target = Recorder(lambda p: Outcome("done", answer={**stored(p, names), "bucket": "pictures"}))
    one = run(journal, target, *pictures, result, learns=True)
    one.go()
    assert sorted(target.sent) == [["0.jpg"], ["1.jpg"]]
    assert one.selection.counts.results == 1


def test_a_bucket_of_results_that_cannot_be_listed_is_a_warning(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refused = Pictures(error=SourceError("bucket results cannot be listed"))
    monkeypatch.setattr("backfill.existing.objects", lambda *_: refused.pictures())
    target = Recorder(lambda picture: Outcome("done", answer=stored(picture)))
    run(journal, target, *some(3), learns=True).go()
    assert len(target.sent) == 3
    assert "bucket results cannot be listed; so only the journal knows what is done" in caplog.text
