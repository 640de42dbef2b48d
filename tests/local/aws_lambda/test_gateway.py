"""The local Lambda with a function that misbehaves: each fault has its AWS-like answer, and the next request works."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from local.aws_lambda.cgroups import Cgroup
from local.aws_lambda.emulator import emulator
from local.aws_lambda.sandbox import Function, Sandbox
from local.aws_lambda.scaling import cpu_scaling
from local.checkout import ROOT
from local.processes import free_port, running, wait_until_ready
from tests.conftest import Answer, send, wait_for
from tests.local.test_doors import children
from tests.local.test_processes import exists

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
INVOKE = "/2015-03-31/functions/any/invocations"


@contextlib.contextmanager
def gateway(folder: Path, *options: str) -> Iterator[tuple[str, int]]:
    """The URL and the process of a local Lambda with the misbehaving function."""
    port = free_port()
    command = [
        sys.executable, "-m", "local.aws_lambda", "--port", str(port), "--folder", str(folder / "sandboxes"),
        "--handler", "misbehaving.handler", "--code", str(HERE), *options,
    ]  # fmt: skip
    log = folder / "gateway.log"
    with running(command, env=os.environ, log=log, cwd=ROOT) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(process, f"{url}/readyz", name="gateway", log=log, timeout_s=30)
        yield url, process.pid


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local Lambda with little memory and two sandboxes at most."""
    with gateway(tmp_path_factory.mktemp("gateway"), "--memory=512", "--concurrency=2") as (found, _):
        yield found


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local Lambda that gives no request more than a second."""
    with gateway(tmp_path_factory.mktemp("impatient"), "--timeout=1") as (found, _):
        yield found


def tell(url: str, **what: object) -> Answer:
    """An HTTP request."""
    return send(f"{url}/anything", what)


def metrics(url: str) -> dict[str, float]:
    """The figures of /metrics by name."""
    lines = send(f"{url}/metrics", method="GET").body.decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


FAULTS: dict[str, tuple[dict[str, object], int, str, str]] = {
    "segfault": ({"segfault": 1}, 500, "Internal Server Error", "exit"),
    "exit": ({"exit": 3}, 500, "Internal Server Error", "exit"),
    "a leak past the memory limit": ({"leak": 1}, 500, "Internal Server Error", "exit"),
    "hanging": ({"sleep": 60}, 503, "Service Unavailable", "timeout"),
    "an exception": ({"raise": "boo"}, 500, "Internal Server Error", "exception"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_the_answer_of_api_gateway_and_the_next_request_works(
    fault: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("impatient" if fault == "hanging" else "url")
    told, status, message, counted = FAULTS[fault]
    name = f'local_lambda_invocations_total{{result="{counted}"}}'
    before = metrics(url)[name]
    answer = tell(url, **told)
    assert (answer.status, answer.json) == (status, {"message": message})
    assert metrics(url)[name] == before + 1
    after = tell(url)
    assert after.status == 200
    # A sandbox survives an exception, and nothing else.
    assert (after.json["answers"] == 1) == (counted != "exception")


INVOKED = {
    "segfault": ({"segfault": 1}, r'"errorType": ?"Runtime.ExitError".*segmentation fault'),
    "hanging": ({"sleep": 60}, r'"errorType": "Sandbox.Timedout".*timed out after 1.00 seconds'),
    "an exception": ({"raise": "boo"}, r'"errorMessage": "boo", "errorType": "ValueError"'),
    "a leak": ({"leak": 1}, r"signal: killed"),
}


@pytest.mark.parametrize("fault", INVOKED)
def test_a_fault_is_an_unhandled_function_error_of_the_invoke_api(fault: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("impatient" if fault == "hanging" else "url")
    told, pattern = INVOKED[fault]
    answer = send(url + INVOKE, told)
    assert (answer.status, answer.headers["x-amz-function-error"]) == (200, "Unhandled")
    assert re.search(pattern, answer.body.decode()), answer.body
    assert send(url + INVOKE, {}).json["pid"] > 0


def test_what_cannot_be_an_event_is_refused_by_the_invoke_api(url: str) -> None:
    broken = send(url + INVOKE, b"{")
    large = send(url + INVOKE, b'"' + b"x" * (6 * 2**20) + b'"')
    assert (broken.status, broken.headers["x-amzn-errortype"]) == (400, "InvalidRequestContentException")
    assert (large.status, large.headers["x-amzn-errortype"]) == (413, "RequestTooLargeException")


def test_a_body_over_six_megabytes_is_too_large(url: str) -> None:
    answer = send(f"{url}/predict", b"x" * (6 * 2**20 + 1))
    assert (answer.status, answer.json) == (413, {"message": "Request Entity Too Large"})
    assert tell(url).status == 200


def test_more_requests_than_sandboxes_are_throttled(url: str) -> None:
    tell(url)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: tell(url, sleep=0.5), range(4)))
    assert sorted(a.status for a in answers) == [200, 200, 429, 429]
    assert {json.dumps(a.json) for a in answers if a.status == 429} == {'{"message": "Too Many Requests"}'}
    assert {a.json["pid"] for a in answers if a.status == 200} >= {tell(url).json["pid"]}


def test_a_client_that_hangs_up_harms_nobody(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    body = b'{"sleep": 0.2}'
    before = metrics(url)['local_lambda_invocations_total{result="answered"}']
    for sent in (body[:5], body):
        with socket.create_connection((host, int(port))) as connection:
            head = (
                f"POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            connection.sendall(head.encode() + sent)
    assert wait_for(lambda: metrics(url)['local_lambda_invocations_total{result="answered"}'] == before + 1)
    assert wait_for(lambda: metrics(url)['local_lambda_sandboxes{state="busy"}'] == 0)
    assert tell(url).status == 200


def test_a_request_becomes_an_event_of_an_http_api(url: str) -> None:
    headers = {"Cookie": "a=1; b=2", "X-Mine": "yes", "Content-Type": "application/json"}
    event = send(f"{url}/a%20b/c?x=1&x=2&y=", {"k": "é"}, headers=headers).json["event"]
    assert event["version"] == "2.0"
    assert event["rawQueryString"] == "x=1&x=2&y="
    assert event["queryStringParameters"] == {"x": "1,2", "y": ""}
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["headers"]["x-mine"], "cookie" in event["headers"]) == ("yes", False)
    assert json.loads(event["body"]) == {"k": "é"}
    assert not event["isBase64Encoded"]
    assert event["requestContext"]["http"]["method"] == "POST"
    binary = send(f"{url}/x", b"\x00\xff", headers={"Content-Type": "application/octet-stream"}).json["event"]
    assert (binary["body"], binary["isBase64Encoded"]) == ("AP8=", True)
    text = send(f"{url}/x", b"\xff", headers={"Content-Type": "text/plain"}).json["event"]
    assert text["isBase64Encoded"]


PAYLOADS: dict[str, tuple[Any, int, bytes]] = {
    "a response": ({"statusCode": 418, "headers": {"X-A": "b"}, "body": "tea", "cookies": ["c=d"]}, 418, b"tea"),
    "base64": ({"statusCode": 200, "body": "AP8=", "isBase64Encoded": True}, 200, b"\x00\xff"),
    "no body": ({"statusCode": 204}, 204, b""),
    "bare JSON": ({"a": 1}, 200, b'{"a": 1}'),
    "a status that is none": ({"statusCode": "many"}, 500, b'{"message":"Internal Server Error"}'),
    "a body that is no text": ({"statusCode": 200, "body": [1]}, 500, b'{"message":"Internal Server Error"}'),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_functions_answer_becomes_http(name: str, url: str) -> None:
    payload, status, body = PAYLOADS[name]
    answer = tell(url, payload=payload)
    assert (answer.status, answer.body) == (status, body)
    if name == "a response":
        assert (answer.headers["x-a"], answer.headers["set-cookie"]) == ("b", "c=d")


def test_a_function_is_given_what_aws_gives_and_nothing_of_ours(url: str) -> None:
    environ = tell(url).json["environ"]
    assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert environ["AWS_LAMBDA_RUNTIME_API"].startswith("127.0.0.1:")
    assert not {"HOME", "USER", "PYTEST_CURRENT_TEST", "VIRTUAL_ENV"} & set(environ)


def test_idle_sandboxes_are_ended(tmp_path: Path) -> None:
    with gateway(tmp_path, "--idle=0.3") as (url, process):
        first = tell(url).json["pid"]
        assert tell(url).json["pid"] == first
        assert wait_for(lambda: not exists(first))
        assert metrics(url)['local_lambda_sandboxes{state="idle"}'] == 0
        assert tell(url).json["answers"] == 1
        assert metrics(url)["local_lambda_cold_starts_total"] == 2
        assert len(sandboxes(process)) == 1


def sandboxes(process: int) -> list[psutil.Process]:
    """The emulators that a gateway has started."""
    return [child for child in psutil.Process(process).children() if "aws-lambda-rie" in child.cmdline()[0]]


@pytest.mark.parametrize("part", ["emulator", "runtime"])
def test_a_request_is_not_given_to_a_sandbox_that_died_while_idle(part: str, tmp_path: Path) -> None:
    with gateway(tmp_path, "--memory=512", "--concurrency=1") as (url, process):
        for _ in range(3):
            tell(url)
            [sandbox] = sandboxes(process)
            victim = sandbox if part == "emulator" else sandbox.children()[0]
            victim.kill()
            if part == "runtime":  # The kernel ends it a moment later, and until then it may still take an event.
                assert wait_for(lambda pid=victim.pid: not exists(pid))
            answer = tell(url)
            assert (answer.status, answer.json["answers"]) == (200, 1), answer.body
        assert metrics(url)["local_lambda_cold_starts_total"] == 4
        assert metrics(url)['local_lambda_invocations_total{result="exit"}'] == 0


def test_a_sandbox_that_died_while_idle_is_ended(tmp_path: Path) -> None:
    with gateway(tmp_path, "--memory=512") as (url, process):
        tell(url)
        [sandbox] = sandboxes(process)
        sandbox.children()[0].kill()
        assert wait_for(lambda: metrics(url)['local_lambda_sandboxes{state="idle"}'] == 0)
        assert wait_for(lambda: not exists(sandbox.pid))


def test_a_sandbox_ends_with_what_its_function_has_detached(tmp_path: Path) -> None:
    with gateway(tmp_path, "--idle=0.3") as (url, _):
        detached = tell(url, detach=1).json
        assert exists(detached)
        assert wait_for(lambda: not exists(detached))


def groups(process: int) -> list[Path]:
    """The folders of the control groups of a gateway."""
    return [folder for folder in Path("/sys/fs/cgroup").glob("**/yolov7-local-*") if f"-{process}-" in folder.name]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_nothing_is_left(number: signal.Signals, tmp_path: Path) -> None:
    with gateway(tmp_path) as (url, process):
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: tell(url, sleep=0.3, ignore=1), range(3)))
            detached = tell(url, detach=1).json
            family = children(process) | {detached}
            assert len(sandboxes(process)) == 3
            scaled = bool(metrics(url)["local_lambda_cpu_scaled"])
            assert bool(groups(process)) >= scaled
            if number == signal.SIGKILL:
                pool.submit(tell, url, sleep=60)
                assert wait_for(lambda: metrics(url)['local_lambda_sandboxes{state="busy"}'] == 1)
            os.kill(process, number)
        assert wait_for(lambda: not any(exists(member) for member in family))
        assert wait_for(lambda: not groups(process))
        assert wait_for(lambda: not list(tmp_path.glob("sandboxes/*/tmp")))


def test_cpu_is_scaled_as_on_aws_or_it_is_said_that_it_is_not(tmp_path: Path) -> None:
    function = Function("misbehaving.handler", HERE, memory_mb=884)
    scaled, words = cpu_scaling(function)
    with gateway(tmp_path, "--memory=884") as (url, _):
        shown = metrics(url)["local_lambda_cpu_scaled"]
        assert metrics(url)["local_lambda_cpus_of_aws"] == pytest.approx(0.5, abs=0.001)
        groups = tell(url, file="/proc/self/cgroup").body.decode()
    assert shown == scaled
    if not scaled:
        assert "not scaled" in words
        pytest.skip(words)
    assert "0.50" in words
    assert "yolov7-local-" in groups


def test_more_memory_than_the_machine_has_cpus_for_is_said() -> None:
    scaled, words = cpu_scaling(Function("misbehaving.handler", HERE, memory_mb=1769 * 1000))
    assert (scaled, "not scaled" in words) == (False, True)


def test_the_quota_is_the_one_of_the_memory() -> None:
    group = Cgroup.create(f"yolov7-local-test-{os.getpid()}", 2**28)
    if group is None:
        pytest.skip("no control groups can be used here")
    try:
        group.limit_cpu(0.5)
        file = group.cpu / ("cpu.max" if group.version == 2 else "cpu.cfs_quota_us")
        assert file.read_text().split()[0] == "50000"
        assert group.peak_memory() >= 0
    finally:
        group.remove()
    assert not any(folder.exists() for folder in group.folders)


def test_control_groups_of_version_2_get_their_files(tmp_path: Path) -> None:
    """Plain files stand in for the kernel's, which makes them itself when there is version 2."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    group = Cgroup.create("mine", 1000, tmp_path)
    assert group is not None
    group.add(7)
    group.limit_cpu(1.7)
    (group.memory / "memory.current").write_text("5")
    written = {file.name: file.read_text() for file in group.memory.iterdir()}
    assert written == {
        "memory.max": "1000", "memory.swap.max": "0", "cgroup.procs": "7", "cpu.max": "170000 100000",
        "memory.current": "5",
    }  # fmt: skip
    assert group.peak_memory() == 5


def test_without_control_groups_memory_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cgroup, "create", lambda *_: None)
    function = Function("misbehaving.handler", HERE, memory_mb=128)
    assert cpu_scaling(function)[0] is False
    sandbox = Sandbox(function, tmp_path)
    try:
        assert sandbox.invoke(b"{}").failure is None
        assert sandbox.invoke(b'{"leak": 1}').failure == "exit"
    finally:
        sandbox.stop()


def test_a_missing_emulator_is_one_clear_line() -> None:
    assert os.access(emulator(), os.X_OK)
    code = (
        "import sys, pathlib; from local.aws_lambda import cli, emulator\n"
        "emulator.EMULATOR_HOME = pathlib.Path('nowhere'); sys.exit(cli.main(['--port=1', '--folder=x']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr.startswith("error: nowhere/samcli/local/rapid/aws-lambda-rie-")
    assert done.stderr.count("\n") == 1
