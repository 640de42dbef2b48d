"""moto's server, one request at a time, with what moto lacks and the provider needs.

python -m tests.deployment.moto_more -H 127.0.0.1 -p PORT
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any

import moto.server
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

register = ApplicationAutoScalingResponse.register_scalable_target
tags: dict[str, dict[str, str]] = {}


class Application(DomainDispatcherApplication):
    """moto, which responds to one request at a time, and to a repeated request with the first response.

    moto loses changes that two threads make at once. The provider repeats requests that moto has done: its smithy-go
    closes a request's body when the headers of the response arrive, and net/http, if it has not seen the end of that
    body yet, takes this for a failed write and closes the connection before the response's body is read. This happens
    where moto responds within milliseconds and the provider waits for a processor. To add a rule or to delete a target
    twice is an error, so the repeated request, which has the same invocation id, gets the first response.
    """

    def __init__(self, create_app: Any) -> None:
        super().__init__(create_app)
        self.turn = threading.Lock()
        self.done: dict[str, tuple[str, list[tuple[str, str]], list[bytes]]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        invocation = environ.get("HTTP_AMZ_SDK_INVOCATION_ID")
        with self.turn:
            status, headers, body = self.done.get(invocation or "") or self.respond(environ)
            # After an error the SDK repeats a request to have it done.
            if invocation and status.startswith("2"):
                self.done[invocation] = (status, headers, body)
        start_response(status, headers)
        return body

    def respond(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], list[bytes]]:
        """The status, the headers and the body of moto's response."""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            started.append((status, headers))

        body = list(super().__call__(environ, start_response))
        return *started[-1], body


def register_and_keep_tags(self: ApplicationAutoScalingResponse) -> str:
    """RegisterScalableTarget, whose tags moto forgets."""
    registered = register(self)
    tags.setdefault(json.loads(registered)["ScalableTargetARN"], {}).update(self._get_param("Tags", {}))
    return registered


def list_tags_for_resource(self: ApplicationAutoScalingResponse) -> str:
    """ListTagsForResource."""
    return json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})


if __name__ == "__main__":
    ApplicationAutoScalingResponse.register_scalable_target = register_and_keep_tags  # type: ignore[method-assign]
    ApplicationAutoScalingResponse.list_tags_for_resource = list_tags_for_resource  # type: ignore[attr-defined]
    moto.server.DomainDispatcherApplication = Application  # type: ignore[attr-defined]
    moto.server.main()
