"""Sends requests to a deployment, with an API key, a signature of AWS, or neither."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from deployment.smoke.errors import SmokeError
from loadtest.runs import Target, key_of

TIMEOUT_S = 60.0
MAX_RESPONSE_BYTES = 50_000_000
AUTHS = ("none", "key", "iam")


@dataclass(frozen=True)
class Reply:
    """A response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would send key and signature to another address."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Make the redirect the response."""


class Client:
    """Sends requests to /predict of a target."""

    def __init__(self, target: Target, auth: str | None, environment: Mapping[str, str]) -> None:
        """`auth` is one of AUTHS, by default `key` if API_KEY is set; raises SmokeError without credentials for it."""
        key = key_of(environment)
        self.auth = auth or ("key" if key else "none")
        self._url = f"{target.url}/predict"
        self._key = key if self.auth == "key" else None
        self._signer = _signer(target.host, environment) if self.auth == "iam" else None
        self._opener = urllib.request.build_opener(NoRedirects)
        if self.auth == "key" and key is None:
            raise SmokeError("AUTH=key needs the key in the environment variable API_KEY")

    def post(
        self, body: bytes, headers: Mapping[str, str] | None = None, query: str = "", *, anonymous: bool = False
    ) -> Reply:
        """The response to a request, whatever its status; raises SmokeError if none comes within TIMEOUT_S."""
        url, sent = self._url + query, {"Content-Type": "application/json", **(headers or {})}
        if self._key and not anonymous:
            sent[self._key[0]] = self._key[1]
        if self._signer and not anonymous:
            signed = AWSRequest("POST", url, sent, body)
            self._signer.add_auth(signed)
            sent = dict(signed.headers.items())
        try:
            with self._opener.open(urllib.request.Request(url, body, sent), timeout=TIMEOUT_S) as answer:
                return _reply(answer.status, answer)
        except urllib.error.HTTPError as exc:
            with exc:
                return _reply(exc.code, exc)
        except (OSError, http.client.HTTPException) as exc:
            reason = getattr(exc, "reason", None) or exc
            raise SmokeError(f"{self._url} does not answer ({reason or type(exc).__name__}): is it deployed?") from None


def _reply(status: int, answer: Any) -> Reply:
    body = answer.read(MAX_RESPONSE_BYTES + 1)
    if len(body) > MAX_RESPONSE_BYTES:
        raise SmokeError(f"a response has more than {MAX_RESPONSE_BYTES / 1e6:.0f} MB, so it is not of this service")
    return Reply(status, {name.lower(): value for name, value in answer.headers.items()}, body)


def _signer(host: str, environment: Mapping[str, str]) -> SigV4Auth:
    """The signer of a host: an HTTP API, also behind a domain of one's own, or a function URL."""
    service, region = "execute-api", environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    parts = host.split(".")  # ID.execute-api.REGION.amazonaws.com or ID.lambda-url.REGION.on.aws
    if len(parts) > 3 and parts[1] in ("execute-api", "lambda-url"):
        service, region = {"execute-api": "execute-api", "lambda-url": "lambda"}[parts[1]], parts[2]
    credentials = botocore.session.get_session().get_credentials()
    if credentials is None:
        raise SmokeError("AUTH=iam needs AWS credentials: set a profile, a role or keys")
    if region is None:
        raise SmokeError(f"{host} does not name its region, which a signature needs: set AWS_REGION")
    return SigV4Auth(credentials, service, region)


def client_of(target: Target, auth: str | None) -> Client:
    """The client with this process's credentials."""
    return Client(target, auth, os.environ)
