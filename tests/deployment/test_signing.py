"""The curl command of deployment/README.md signs a request as botocore does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.checkout import ROOT

COMMAND = re.search(r"^curl --aws-sigv4 .*?(?=\s+#)", (ROOT / "deployment" / "README.md").read_text(), re.M | re.S)


class Recorder(BaseHTTPRequestHandler):
    """Keeps the headers and the body of the last request."""

    headers_seen: dict[str, str]
    body_seen: bytes

    def do_POST(self) -> None:
        """Answer 200."""
        Recorder.headers_seen = {name.lower(): value for name, value in self.headers.items()}
        Recorder.body_seen = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """The URL of a server that records requests."""
    with HTTPServer(("127.0.0.1", 0), Recorder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_signs_as_botocore_does(endpoint: str) -> None:
    assert COMMAND is not None
    command = COMMAND[0].replace("REGION", "eu-central-1").replace("$(terraform output -raw endpoint)", endpoint)
    keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "SECRET", "AWS_SESSION_TOKEN": "TOKEN"}
    subprocess.run(["sh", "-c", command], env=os.environ | keys, check=True, capture_output=True)
    sent = Recorder.headers_seen
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKID/\d{8}/eu-central-1/execute-api/aws4_request, "
        r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
        sent["authorization"],
    )
    assert found is not None, sent["authorization"]
    signed = found[1].split(";")
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(signed)
    request = AWSRequest("POST", f"{endpoint}/predict", {name: sent[name] for name in signed}, Recorder.body_seen)
    request.context["timestamp"] = sent["x-amz-date"]
    signer = SigV4Auth(Credentials("AKID", "SECRET", "TOKEN"), "execute-api", "eu-central-1")
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert found[2] == expected
