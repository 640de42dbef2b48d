from __future__ import annotations

import json
import subprocess
import sys
from http.client import HTTPMessage
from pathlib import Path

import pytest

from local.checkout import ROOT
from local.doors import OUTPUT_BUCKET
from local.s3 import local_s3
from tests.soak.plan import rounds
from tests.soak.requests import Asked
from tests.soak.results import Results
from tests.soak.run import growths
from tests.soak.tally import Tally
from tests.soak.watch import Usage

GOOD = Asked(b"", "id-1", None, "good_1.jpg", (640, 480))
BAD = Asked(b"", "id-1", "not_an_image")
RESULT = {"filename": "good_1.jpg", "image": {"width": 640, "height": 480}}


def error(code: str, request_id: str = "id-1") -> dict[str, object]:
    return {"error": {"code": code, "message": "why", "request_id": request_id}}


FAULTS = {
    "a result": (GOOD, 200, RESULT, ""),
    "a result of another request": (GOOD, 200, RESULT | {"filename": "good_2.jpg"}, "good_1.jpg was due"),
    "a result of a bad picture": (BAD, 200, RESULT, "not_an_image was due"),
    "the error that is due": (BAD, 415, error("not_an_image"), ""),
    "a full queue": (GOOD, 503, error("overloaded"), ""),
    "another error": (GOOD, 415, error("not_an_image"), "200 was due"),
    "a defect": (GOOD, 500, error("internal_error"), "200 was due"),
    "an unknown code": (GOOD, 418, error("teapot"), "not of the contract"),
    "another status": (GOOD, 500, error("overloaded"), "not of the contract"),
    "another request": (GOOD, 503, error("overloaded", "id-2"), "not of the contract"),
    "another shape": (GOOD, 503, {"detail": "busy"}, "not of the contract"),
    "no JSON": (GOOD, 502, "<html>", "not of the contract"),
    "a refusal": (GOOD, 502, error("storage_refused"), "200 was due"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_response_is_held_to_the_contract(name: str) -> None:
    asked, status, body, wanted = FAULTS[name]
    headers = HTTPMessage()
    headers["x-request-id"] = "id-1"
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    _, fault = asked.fault(status, headers, data, s3_starts=False)
    assert wanted in fault if fault else not wanted


def test_a_starting_s3_may_refuse() -> None:
    headers = HTTPMessage()
    headers["x-request-id"] = "id-1"
    body = json.dumps(error("storage_refused")).encode()
    assert GOOD.fault(502, headers, body, s3_starts=True) == ("502 storage_refused", None)


def test_growth_beyond_the_tolerance_is_found() -> None:
    first = Usage(500, 18, 33, 2)
    assert growths(first, Usage(549, 20, 36, 8)) == []
    assert len(growths(first, Usage(551, 21, 37, 9))) == 4


def test_percentiles_are_within_five_percent_and_findings_are_bounded() -> None:
    tally = Tally()
    phase = tally.begin("steady")
    for milliseconds in range(1, 1001):
        tally.response("200", milliseconds / 1000)
        tally.finding(f"finding {milliseconds}")
    assert phase.percentile_ms(0.5) == pytest.approx(500, rel=0.05)
    assert phase.percentile_ms(0.99) == pytest.approx(990, rel=0.05)
    assert (len(tally.findings), tally.findings.total()) == (31, 1000)


@pytest.mark.parametrize("minutes", [0.5, 10, 60])
def test_the_steps_fill_the_time(minutes: float) -> None:
    found = dict(rounds(minutes * 60))
    assert sum(step.seconds for steps in found.values() for step in steps) == pytest.approx(minutes * 60)
    assert found["round 1"] == found["round 3"]


@pytest.mark.slow
def test_a_result_of_a_failed_request_and_a_missing_result_are_found(tmp_path: Path) -> None:
    tally = Tally()
    with local_s3(tmp_path / "s3", OUTPUT_BUCKET) as s3:
        client = s3.client()
        for key in ("right.jpg", "late.jpg", "wrong.jpg"):
            client.put_object(Bucket=OUTPUT_BUCKET, Key=key, Body=b"picture")
        results = Results(client, tally)
        results.stored("right.jpg")
        results.stored("lost.jpg")
        results.possible("late.jpg")
        results.finish()
    assert dict(tally.findings) == {
        "the result of a 200 is missing: lost.jpg": 1,
        "a failed request has stored wrong.jpg": 1,
    }


@pytest.mark.slow
def test_a_short_soak_finds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0.4", "--seed", "1", "--log", str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "connection broken" in done.stdout
    assert done.stdout.count("\nround ") >= 2 * 3 * 6
