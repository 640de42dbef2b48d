"""Real JMeter runs against a small server, and the errors that users may see."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from loadtest.errors import JMeterError, LoadTestError, TargetError
from loadtest.platforms.registry import PLATFORMS
from loadtest.profiles import load_profile
from loadtest.results.analysis import read_run
from loadtest.results.samples import read_samples
from loadtest.run.runner import Job, run
from loadtest.runs import parse_target
from local.checkout import ROOT
from local.processes import free_port
from tests.conftest import wait_for

pytestmark = pytest.mark.slow

KEY = "a-key-that-must-not-be-seen"
TIMING = "fetch;dur=5.1, decode;dur=9.8, detect;dur=62.4, annotate;dur=2.2, store;dur=9.0"
ANSWER = {"location": "http://s3/x.jpg", "model": {"name": "m", "version": "1"}}
GOOD = {
    "Content-Type": "application/json",
    "Server-Timing": TIMING,
    "X-Instance-Id": "a",
    "X-Instance-Cpu": "Xeon, AVX2",
}

Reply = tuple[int, dict[str, str], bytes]


class Target:
    """An HTTP server with the responses of a test; it keeps all requests with their times."""

    def __init__(self) -> None:
        self.reply: Callable[[], Reply] = self.good
        self.delay_s = 0.0
        self.at_once = self.most_at_once = 0
        self.asked: list[tuple[float, bytes, dict[str, str]]] = []
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                target.asked.append((time.time(), body, {k.lower(): v for k, v in self.headers.items()}))
                status, headers, data = target.reply()
                target.at_once += 1
                target.most_at_once = max(target.most_at_once, target.at_once)
                time.sleep(target.delay_s)
                target.at_once -= 1
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def good(self) -> Reply:
        cold = {"X-Cold-Start": str(len(self.asked) == 1).lower()}
        return 200, {**GOOD, **cold}, json.dumps(ANSWER).encode()


@pytest.fixture
def target() -> Iterator[Target]:
    running = Target()
    yield running
    running.server.shutdown()
    running.server.server_close()


def job(target: Target | str, profile: str = "batches", *changes: str, key: str = "") -> Job:
    url = target if isinstance(target, str) else target.url
    return Job(
        load_profile(profile, changes=changes),
        parse_target(url),
        "lambda",
        PLATFORMS["lambda"].parse({"memory_mb": 3000}),
        key=("x-api-key", key) if key else None,
    )


def test_a_run_records_the_fields_of_each_answer(target: Target, tmp_path: Path) -> None:
    target.delay_s = 0.05
    folder = run(job(target, "batches", "users=3", "loops=2", key=KEY), tmp_path)
    summary = read_run(folder)
    assert (summary.requests, summary.answered, summary.errors) == (6, 6, {})
    assert summary.cold is not None and summary.cold.count == 1
    assert summary.all is not None and 50 <= summary.all.p50.value < 500
    assert (summary.run.model, summary.run.label, summary.run.status) == ("m:1", "local Lambda 3000 MB", "finished")
    assert {name: summary.steps_ms[name] for name in ("fetch", "detect")} == pytest.approx(
        {"fetch": 5.1, "detect": 62.4}
    )
    assert summary.processors == {"Xeon, AVX2": 1}
    assert [phase.requests for phase in summary.phases] == [3, 3]
    # A batch begins after the responses to the previous one.
    assert max(at for at, *_ in target.asked[:3]) + 0.05 <= min(at for at, *_ in target.asked[3:]) + 0.01
    assert {json.loads(body)["filename"] for _, body, _ in target.asked} == {
        f"loadtest/scenes-{number:02d}.jpg" for number in range(1, 7)
    }
    assert all(headers["content-type"] == "application/json" for *_, headers in target.asked)
    assert (folder / "dashboard" / "index.html").is_file()
    # The key was sent, and no file contains it.
    assert all(headers["x-api-key"] == KEY for *_, headers in target.asked)
    assert not [file for file in folder.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]


def test_an_open_profile_sends_on_schedule_without_waiting_for_answers(target: Target, tmp_path: Path) -> None:
    target.delay_s = 1.5
    changes = ("stages=[{rate_per_s: 10, for_s: 3}]",)
    folder = run(job(target, "steady", *changes), tmp_path)
    table, _ = read_samples(folder / "samples.jtl")
    due = table["due"].sort()
    arrivals = load_profile("steady", changes=changes).arrivals_ms()
    assert (due - due[0]).to_list() == [at - arrivals[0] for at in arrivals]
    assert (table["timeStamp"] - table["due"]).min() in range(0, 500)
    # No request waits for the responses to earlier ones.
    assert target.most_at_once >= 5
    summary = read_run(folder)
    assert summary.corrected is not None and summary.corrected.p50.value >= 1500
    assert summary.offered_per_s == 10


def test_users_of_a_step_begin_when_their_step_does(target: Target, tmp_path: Path) -> None:
    target.delay_s = 0.2
    folder = run(job(target, "steps", "steps=[1, 3]", "ramp_s=1", "hold_s=3"), tmp_path)
    table, _ = read_samples(folder / "samples.jtl")
    first = table.group_by("threadName").agg(pl.col("timeStamp").min()).sort("timeStamp")["timeStamp"]
    assert len(first) == 3
    # The second step begins 4 s after the first one. The first user compiles the scripts of the plan before it sends a
    # request, which takes a busy machine some seconds; without steps all users would begin within the ramp's second.
    assert 1500 <= first[1] - first[0] <= first[2] - first[0] <= 8000
    assert [phase.errors for phase in read_run(folder).phases] == [0, 0]
    assert target.most_at_once == 3


def contract(status: int, code: str) -> Callable[[], Reply]:
    body = json.dumps({"error": {"code": code, "message": "m", "request_id": "r"}}).encode()
    return lambda: (status, {"Content-Type": "application/json"}, body)


def test_a_target_that_cannot_be_measured_stops_the_run_at_once(target: Target, tmp_path: Path) -> None:
    target.reply = lambda: (401, {"Content-Type": "application/json"}, b'{"message":"Unauthorized"}')
    with pytest.raises(TargetError) as caught:
        run(job(target, "batches", "loops=100000", "pause_s=0.5"), tmp_path)
    assert str(caught.value).startswith(f"{target.url} answers 401: set API_KEY to the key")
    assert len(target.asked) < 1000
    record = json.loads(next(tmp_path.glob("*/run.json")).read_text())
    assert (record["status"], record["problem"]) == ("failed", str(caught.value))


def test_errors_between_answers_are_measured_and_do_not_stop_the_run(target: Target, tmp_path: Path) -> None:
    target.reply = lambda: target.good() if len(target.asked) % 2 else contract(503, "overloaded")()
    summary = read_run(run(job(target, "payloads", "loops=4"), tmp_path))
    assert (summary.answered, summary.errors) == (2, {"overloaded": 2})


def test_an_unreachable_target_is_reported_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="does not answer: Connection refused"):
        run(job(f"http://127.0.0.1:{free_port()}"), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_an_unknown_host_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"http://nowhere\.invalid does not answer: .*\(nowhere\.invalid, port 80\)"):
        run(job("http://nowhere.invalid"), tmp_path)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("abc.execute-api.us-east-1.amazonaws.com", "is not a URL: write http://host[:port] or https://host"),
        ("ftp://host", "is not a URL"),
        ("http://host:port", "is not a URL: Port could not be cast"),
        ("https://me:secret@host", "the target's URL contains a password"),
        ("", "is not a URL"),
    ],
)
def test_a_target_that_is_not_a_url_is_one_line(url: str, message: str) -> None:
    with pytest.raises(LoadTestError) as caught:
        parse_target(url)
    assert message in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "port", "path", "shown", "where"),
    [
        ("http://127.0.0.1:3000", 3000, "/predict", "http://127.0.0.1:3000", "local"),
        ("http://localhost:3000/predict", 3000, "/predict", "http://localhost:3000", "local"),
        ("http://[::1]:3000/", 3000, "/predict", "http://[::1]:3000", "local"),
        ("https://abc.execute-api.eu-central-1.amazonaws.com/prod/", 443, "/prod/predict",
         "https://abc.execute-api.eu-central-1.amazonaws.com/prod", "aws"),
        ("http://my-alb.elb.amazonaws.com", 80, "/predict", "http://my-alb.elb.amazonaws.com", "aws"),
    ],
)  # fmt: skip
def test_a_target_is_read_with_its_stage(url: str, port: int, path: str, shown: str, where: str) -> None:
    found = parse_target(url)
    assert (found.port, found.path, found.url, found.where) == (port, path, shown, where)


def test_no_run_overwrites_another(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise JMeterError("not today")

    monkeypatch.setattr("loadtest.run.runner._run_jmeter", fails)
    for _ in range(3):
        with pytest.raises(JMeterError):
            run(job(target), tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_an_interrupted_run_keeps_its_samples_and_can_be_reported(target: Target, tmp_path: Path) -> None:
    target.delay_s = 0.05
    command = [sys.executable, "-m", "loadtest", "run", "payloads", "--target", target.url, "--platform", "ecs"]
    command += ["--set", "loops=100000", "--results", str(tmp_path)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert wait_for(lambda: len(target.asked) > 20, 60)
    process.send_signal(signal.SIGINT)
    _, output = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopping; the samples are kept" in output and "Traceback" not in output
    summary = read_run(next(tmp_path.iterdir()))
    assert summary.run.status == "interrupted"
    assert 15 <= summary.requests <= len(target.asked)
    assert summary.errors == {}
    count = len(target.asked)
    time.sleep(0.5)
    assert len(target.asked) == count
