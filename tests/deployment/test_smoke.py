"""The smoke test against both real doors, and against servers that answer wrongly."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deployment.smoke.__main__ import main
from deployment.smoke.client import Client
from deployment.smoke.errors import SmokeError
from detection.processor import read_processor
from loadtest.runs import parse_target
from local.doors import LocalService
from local.processes import free_port
from local.s3 import LocalS3
from serving.contract import PredictAnswer
from tests.conftest import door_of, results

Headers = dict[str, str]
Reply = tuple[int, Headers, bytes]
FOUND = json.dumps(PredictAnswer.model_config["json_schema_extra"]["example"]).encode()  # type: ignore[index]


def test_a_real_door_passes_and_nothing_is_written(
    door: LocalService, s3: LocalS3, capsys: pytest.CaptureFixture[str]
) -> None:
    before = results(s3)
    assert main([door.url]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    first, last = shown.out.splitlines()
    assert re.match(rf"{door.url}: model yolov7-tiny-scenes:\w+, version unknown, image of unknown digest, on ", first)
    assert str(read_processor()) in first
    assert re.search(r"; (cold start|warm), \d+ ms, then \d+ ms$", first)
    assert re.fullmatch(r"(\d+) of \1 checks passed", last)
    assert results(s3) == before


def test_a_door_with_keys_is_checked_with_the_key_and_without(
    door_name: str,
    s3: LocalS3,
    bundled_tag: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = {"MODEL": bundled_tag, "API_KEYS": f"me:{hashlib.sha256(b's3cret').hexdigest()}", "SERVICE_VERSION": "v1"}
    env["IMAGE_DIGEST"] = "sha256:" + "0a" * 32
    with door_of(door_name, s3, tmp_path / "door.log", env) as door:
        assert main([door.url]) == 1
        assert "answers 401 (unauthorized: " in capsys.readouterr().err
        monkeypatch.setenv("API_KEY", "wr0ng")
        assert main([door.url]) == 1
        assert "answers 403 (forbidden: " in capsys.readouterr().err
        monkeypatch.setenv("API_KEY", "s3cret")
        assert main([door.url]) == 0
        shown = capsys.readouterr()
        assert f"version v1, image {env['IMAGE_DIGEST']}, on " in shown.out
        assert "s3cret" not in shown.out + shown.err


Answering = Callable[[str, Headers, bytes], Reply]


@pytest.fixture
def answering() -> Iterator[Callable[[Answering], str]]:
    """Starts a server that answers by a function of path, headers and body; returns its URL."""
    servers = []

    def serve(reply: Answering) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sent = {name.lower(): value for name, value in self.headers.items()}
                status, headers, content = reply(self.path, sent, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


GOOD = {"X-Instance-Id": "a", "X-Cold-Start": "true", "X-Request-Id": "smoke-1"}

# What a server answers to everything, and a line that must be printed.
WRONG: dict[str, tuple[Reply, str]] = {
    "another service": ((200, {}, b"<html>hi</html>"), "an upload is answered, and nothing is stored: the JSON is not"),
    "an answer of another picture": ((200, GOOD, FOUND), "a picture of 640 x 480 is said to be 810 x 1080"),
    "a service that is ill": ((502, {}, b'{"message": "Internal"}'), 'answers 502 ({"message": "Internal"})'),
    "a moved service": ((301, {"Location": "https://other"}, b""), "a redirect to https://other: name that URL"),
    "a forger": ((500, {}, b"\x1b[31m"), r"\x1b[31m"),
    "a service that accepts all": (
        (200, GOOD, FOUND),
        "no body: expected 415 unsupported_media_type, but it answers 2",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_failed_check_is_one_line(
    case: str, answering: Callable[[Answering], str], capsys: pytest.CaptureFixture[str]
) -> None:
    reply, line = WRONG[case]
    assert main([answering(lambda *_: reply)]) == 1
    shown = capsys.readouterr()
    assert line in shown.err
    assert all(one.startswith(("failed: ", "error: ")) and one.isprintable() for one in shown.err.splitlines())


def test_a_target_that_does_not_answer_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert main([url]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {url}/predict does not answer (") and line.endswith("is it deployed?")


def test_a_target_that_is_not_a_url_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["localhost:3000"]) == 1
    assert "is not a URL" in capsys.readouterr().err


KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "SECRET", "AWS_SESSION_TOKEN": "TOKEN"}


def test_iam_signs_the_request_as_aws_wants_it(
    answering: Callable[[Answering], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    seen: list[tuple[str, Headers, bytes]] = []

    def reply(*sent: object) -> Reply:
        seen.append(sent)  # type: ignore[arg-type]
        return 200, {}, b""

    url = answering(reply)
    client = Client(parse_target(url), "iam", {"AWS_REGION": "eu-north-1"})
    client.post(b"{}", {"Content-Type": "application/json"}, "?confidence=0.5")
    client.post(b"{}", anonymous=True)
    (path, headers, body), (_, anonymous, _) = seen
    assert "authorization" not in anonymous
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKID/\d{8}/eu-north-1/execute-api/aws4_request, "
        r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
        headers["authorization"],
    )
    assert found is not None, headers["authorization"]
    signed = {name: headers[name] for name in found[1].split(";")}
    request = AWSRequest("POST", url + path, signed, body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKID", "SECRET", "TOKEN"), "execute-api", "eu-north-1")
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert found[2] == expected


@pytest.mark.parametrize(
    ("host", "service", "region"),
    [
        ("abc.execute-api.eu-central-1.amazonaws.com", "execute-api", "eu-central-1"),
        ("abc.lambda-url.us-east-1.on.aws", "lambda", "us-east-1"),
        ("detect.example.org", "execute-api", "eu-north-1"),
    ],
)
def test_service_and_region_are_those_of_the_host(
    host: str, service: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    signer = Client(parse_target(f"https://{host}"), "iam", {"AWS_REGION": "eu-north-1"})._signer
    assert signer is not None
    request = AWSRequest("POST", f"https://{host}/predict", {}, b"")
    signer.add_auth(request)
    assert f"/{region}/{service}/aws4_request, " in request.headers["Authorization"]


@pytest.mark.parametrize(
    ("auth", "env", "message"),
    [
        ("key", {}, "AUTH=key needs the key in the environment variable API_KEY"),
        ("iam", {}, "AUTH=iam needs AWS credentials: set a profile, a role or keys"),
    ],
)
def test_missing_credentials_are_one_line(
    auth: str, env: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(SmokeError, match=message):
        Client(parse_target("http://127.0.0.1"), auth, env)
