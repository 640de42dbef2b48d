"""Lines as AWS writes them, and files of them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

NOON = 1_775_736_000.0  # 2026-04-09 12:00:00 UTC
ALB = (
    "{type} {time} app/yolov7/50dc6c495c0c9188 192.168.131.39:2817 {target} {took} {status} 34 366 "
    '"{method} https://www.example.com:443{path} HTTP/1.1" "curl/7.46.0 (x, \\"y\\")" ECDHE-RSA-AES128-GCM-SHA256 '
    "TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/yolov7/73e2d6bc24d8a067 "
    '"Root=1-58337262-36d228ad5d99923122bbe354" "www.example.com" "session-reused" {priority}{created}'
)
ALB_END = ' "waf,forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_1234abcd5678ef90'
# The forms that the documentation of API Gateway proposes, for HTTP APIs and for REST APIs.
CLF = "192.0.2.1 - - [{clf}]"
JSON = '{{ "requestId":"JKJaXmPLvHcESHA=", "ip": "192.0.2.1", "requestTime":"{clf}", "httpMethod":"{method}",'
XML = '<request id="JKJaXmPLvHcESHA="> <ip>192.0.2.1</ip> <requestTime>{clf}</requestTime> '
API = {
    "http-clf": CLF + ' "{method} {method} {path} HTTP/1.1" 200 58 JKJaXmPLvHcESHA=',
    "http-json": JSON + '"routeKey":"{method} {path}", "status":"200","protocol":"HTTP/1.1" }}',
    "http-xml": XML + "<routeKey>{method} {path}</routeKey> <status>200</status> </request>",
    "http-csv": "192.0.2.1,{clf},{method},{method} {path},HTTP/1.1,200,58,JKJaXmPLvHcESHA=",
    "rest-clf": CLF + '"{method} {path} HTTP/1.1" 200 58 JKJaXmPLvHcESHA=',
    "rest-json": JSON + '"resourcePath":"{path}", "status":"200","protocol":"HTTP/1.1" }}',
    "rest-xml": XML + "<resourcePath>{path}</resourcePath> <status>200</status> </request>",
    "rest-csv": "192.0.2.1,-,-,{clf},{method},{path},HTTP/1.1,200,58,JKJaXmPLvHcESHA=",
    "stage-json": '{{"path": "/prod{path}", "requestTime": "{clf}", "status": 200}}',
    "cloudwatch": '2026-04-09T12:59:59.123Z {{"time":"{clf}","route":"{method} {path}","status":"200"}}',
}


def alb(
    at: float,
    path: str = "/predict",
    *,
    took: str = "0.001 0.250 0.000",
    old: bool = False,
    method: str = "POST",
    status: str = "200 200",
) -> str:
    """A line of a load balancer; `at` is the moment of the request, of the response if `old`."""
    created = "" if old else f" {iso(at)}{ALB_END}"
    known = sum(max(0.0, float(part)) for part in took.split())
    return ALB.format(
        type="https", time=iso(at if old else at + known), target="10.0.0.1:80", took=took, path=path,
        created=created, method=method, priority="1", status=status,
    )  # fmt: skip


def api(kind: str, at: float, path: str = "/predict", method: str = "POST") -> str:
    """A line of API Gateway."""
    return API[kind].format(clf=clf(at), path=path, method=method)


def iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, timezone.utc):%Y-%m-%dT%H:%M:%S.%f}Z"


def clf(at: float) -> str:
    return f"{datetime.fromtimestamp(at, timezone.utc):%d/%b/%Y:%H:%M:%S +0000}"


def write(file: Path, lines: Iterable[str]) -> Path:
    """A file of lines, packed if its name ends with .gz."""
    text = "".join(f"{line}\n" for line in lines).encode()
    file.write_bytes(gzip.compress(text) if file.suffix == ".gz" else text)
    return file
