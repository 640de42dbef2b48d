"""The journal: a second start knows what is done, and a journal of something else is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from backfill.errors import JournalError
from backfill.journal import Journal, Outcome
from backfill.pictures import Picture
from tests.backfill.target import answer

JOB = {"source": "s3://b/p/", "target": "http://a", "options": "{}"}
A, B = Picture(b"a.jpg", "1", 10), Picture("é %\n.jpg".encode(), "2", 30)


def opened(folder: Path, **changes: str) -> Journal:
    return Journal(folder / "journal.sqlite", JOB | changes)


def test_a_second_start_knows_what_is_done(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.record([(A, Outcome("done", answer=answer(), seconds=0.5)), (B, Outcome("failed", "not_an_image"))])
    journal.close()
    journal = opened(tmp_path)
    assert (journal.state(A), journal.state(B)) == ("done", "failed")
    assert journal.counts() == {"done": 1, "not_an_image": 1}
    assert [entry.picture for entry in journal.entries()] == [A, B]
    journal.close()


def test_a_request_without_an_outcome_is_known_but_is_not_a_result(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.begin([A, B])
    journal.record([(A, Outcome("done", answer=answer()))])
    assert (journal.state(A), journal.state(B)) == ("done", "begun")
    assert journal.counts() == {"done": 1}
    assert [entry.picture for entry in journal.entries()] == [A]
    journal.close()


def test_a_picture_that_changed_is_sent_again_and_replaces_its_result(tmp_path: Path) -> None:
    journal, changed = opened(tmp_path), Picture(A.name, "2", 20)
    journal.record([(A, Outcome("done", answer=answer()))])
    assert journal.state(changed) is None
    journal.record([(changed, Outcome("done", answer=answer()))])
    assert [entry.picture for entry in journal.entries()] == [changed]
    journal.close()


@pytest.mark.parametrize(
    ("name", "value"), [("source", "s3://b/q/"), ("target", "http://b"), ("options", '{"iou": 1}')]
)
def test_a_journal_of_another_job_is_refused(tmp_path: Path, name: str, value: str) -> None:
    opened(tmp_path).close()
    with pytest.raises(JournalError, match=f"another job: its {name} is "):
        opened(tmp_path, **{name: value})
    opened(tmp_path).close()


def test_a_journal_that_is_in_use_is_refused(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    with pytest.raises(JournalError, match="another backfill of this job runs"):
        opened(tmp_path)
    journal.close()


def test_a_file_that_is_not_a_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_text("hello " * 1000)
    with pytest.raises(JournalError, match="file is not a database"):
        opened(tmp_path)
    assert (tmp_path / "journal.sqlite").read_text() == "hello " * 1000


def test_a_torn_end_of_the_log_costs_only_what_it_held(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for number in range(100):
        journal.record([(Picture(b"%d.jpg" % number), Outcome("done", answer=answer()))])
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("journal.sqlite", "journal.sqlite-wal"):  # As a power failure may leave them.
        (copy / name).write_bytes((tmp_path / name).read_bytes())
    journal.close()
    wal = copy / "journal.sqlite-wal"
    wal.write_bytes(wal.read_bytes()[:-5000])
    journal = opened(copy)
    assert 90 <= journal.counts()["done"] < 100
    journal.close()


def test_beginning_again_forgets_everything_until_a_run_is_finished(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.record([(A, Outcome("done", answer=answer()))])
    journal.begin_again()
    assert (journal.state(A), journal.again) == (None, True)
    journal.close()
    journal = opened(tmp_path)
    kept = journal.again
    journal.finished()
    assert (kept, journal.again) == (True, False)
    journal.close()


def test_a_run_without_an_outcome_takes_no_time(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.record([(A, Outcome("done", answer=answer()))])
    before = journal.seconds()
    journal.close()
    journal = opened(tmp_path)
    assert (before > 0, journal.seconds()) == (True, before)
    journal.close()


def test_percentiles_are_by_the_nearest_rank(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    assert journal.percentile(0.5) is None
    for number in range(1, 101):
        journal.record([(Picture(b"%d.jpg" % number), Outcome("done", answer=answer(), seconds=number))])
    journal.record([(A, Outcome("failed", "not_an_image", seconds=1000))])
    assert [journal.percentile(share) for share in (0.0, 0.5, 0.95, 0.99, 1.0)] == [1, 50, 95, 99, 100]
    journal.close()


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError, match="database or disk is full"):
        for number in range(1000):
            journal.record([(Picture(b"%d.jpg" % number), Outcome("done", answer=answer()))])
    journal._db.close()
    assert sqlite3.connect(tmp_path / "journal.sqlite").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_results_that_exist_are_found_by_their_keys(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    assert journal.add_results(["a_1.jpg", "é_2.jpg"]) == 2
    assert [journal.has_result(key) for key in ("a_1.jpg", "é_2.jpg", "b.jpg")] == [True, True, False]
    journal.close()
