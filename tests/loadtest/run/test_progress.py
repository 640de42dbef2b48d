"""The progress of a run while it is running."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import TargetError
from loadtest.profiles import load_profile
from loadtest.run.progress import Display, Progress, check_first, hopeless
from tests.loadtest.results.jtl import failed, sample, text


def test_samples_are_counted_as_they_are_written_and_a_partial_line_waits(tmp_path: Path) -> None:
    file = tmp_path / "samples.jtl"
    progress = Progress(file)
    progress.read()
    assert progress.requests == 0
    broken = failed(1, 5, allThreads=2, failureMessage='expected "200"\n\nreceived 503')
    whole = text([sample(0, 5, cold="true", allThreads=3), broken, sample(2, 5, allThreads=4)])
    for cut in (whole.index("503"), whole.index("received")):
        file.write_text(whole[:cut])
        progress.read()
        assert (progress.requests, progress.errors, progress.cold_starts, progress.users) == (1, 0, 1, 3)
    file.write_text(whole)
    progress.read()
    assert (progress.requests, progress.errors, progress.cold_starts, progress.users) == (3, 1, 1, 4)


def test_the_line_shows_progress_and_counts() -> None:
    progress = Progress(Path("none"), requests=12, errors=2, cold_starts=3, users=9, started=0.0)
    line = Display(load_profile("batches"), "batches").line(progress, Display(load_profile("batches"), "")._start + 4)
    assert re.fullmatch(r"12 of 36 requests, 4 s, 9 users, [\d.]+/s, 2 errors, 3 cold starts", line)


def test_users_of_a_future_step_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    profile = load_profile("steps", changes=["steps=[3, 6]", "ramp_s=0", "hold_s=60"])
    progress = Progress(Path("none"), requests=1, users=6, started=970.0)
    assert "of 120 s, 3 users, " in Display(profile, "").line(progress, 1.0)


@pytest.mark.parametrize(("started", "shown"), [(None, "0 of 120 s"), (970.0, "30 of 120 s"), (800.0, "120 of 120 s")])
def test_the_time_counts_from_the_first_request_and_ends_with_the_profile(
    started: float | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    profile = load_profile("steps", changes=["steps=[3, 6]", "ramp_s=0", "hold_s=60"])
    assert shown in Display(profile, "").line(Progress(Path("none"), started=started), 1.0)


def test_an_open_profile_has_no_users() -> None:
    progress = Progress(Path("none"), requests=1, users=15, started=1.0)
    assert "users" not in Display(load_profile("steady"), "").line(progress, 1.0)


def test_without_a_terminal_a_line_is_printed_at_intervals() -> None:
    out = io.StringIO()
    display = Display(load_profile("batches"), "here", out)
    for _ in range(5):
        display.show(Progress(Path("none")))
    display.show(Progress(Path("none")), last=True)
    assert [line.partition(":")[0] for line in out.getvalue().splitlines()] == ["here", "here"]


NO_ANSWER = "Non HTTP response message: "


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"status": "401", "content": "application/json"}, "answers 401: set API_KEY to the key"),
        ({"status": "403", "content": "application/json"}, "answers 403: set API_KEY to the key"),
        ({"status": "200", "content": "text/html"}, "answers 200 with HTML: is it the URL of the API with its stage"),
        ({"status": "503", "content": "text/html"}, "answers 503 with HTML"),
        ({"status": "200", "content": "application/json"}, "answers 200, but not as /predict does"),
        ({"status": "404", "content": "application/json"}, "answers 404, but not as /predict does"),
        ({"status": "403", "code": "forbidden"}, "answers 403: set API_KEY to the key"),
        ({"status": "404", "code": "not_found"}, "but not as /predict does: is it the right URL?"),
        ({"status": "404", "code": "image_not_found"}, "python -m loadtest pictures BUCKET uploads them"),
        ({"status": "502", "code": "storage_refused"}, "cannot use its buckets (storage_refused)"),
        ({"status": "Non HTTP response code: x", "responseMessage": f"{NO_ANSWER}Connection refused"},
         "does not answer: Connection refused"),
        ({"status": "Non HTTP response code: x", "responseMessage": f"{NO_ANSWER}h failed to respond"},
         "does not answer: h failed to respond"),
    ],
)  # fmt: skip
def test_an_answer_after_which_all_others_will_fail_gives_a_reason(given: dict[str, Any], message: str) -> None:
    found = hopeless(
        {"responseMessage": "", "content": "", "code": "", **failed(0, 1), **given, "responseCode": given["status"]}
    )
    assert found is not None and message in found and "\n" not in found


@pytest.mark.parametrize("code", ["overloaded", "internal_error", "storage_timeout", "image_too_large"])
def test_failures_of_the_service_itself_are_measured(code: str) -> None:
    assert hopeless({**failed(0, 1), "code": code, "content": "application/json"}) is None


def test_a_run_is_stopped_only_while_nothing_has_been_answered(tmp_path: Path) -> None:
    file = tmp_path / "samples.jtl"
    page = failed(0, 1, "503", content="text/html", code="")
    file.write_text(text([sample(0, 5), page]))
    progress = Progress(file)
    progress.read()
    check_first(progress, "http://t")
    file.write_text(text([page]))
    progress = Progress(file)
    progress.read()
    overloaded = failed(0, 1, "503", content="application/json", code="overloaded")
    file.write_text(text([overloaded, page]))
    slow = Progress(file)
    slow.read()
    check_first(slow, "http://t")
    with pytest.raises(TargetError, match=r"^http://t answers 503 with HTML"):
        check_first(progress, "http://t")
