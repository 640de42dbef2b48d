"""moto's server, one request at a time, with the action that moto lacks and the provider needs for a scalable target.

python -m tests.deployment.moto_more -H 127.0.0.1 -p PORT
"""

from __future__ import annotations

import json
import threading
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import main

register = ApplicationAutoScalingResponse.register_scalable_target
answer = DomainDispatcherApplication.__call__
turn = threading.Lock()
tags: dict[str, dict[str, str]] = {}


def register_and_keep_tags(self: ApplicationAutoScalingResponse) -> str:
    """RegisterScalableTarget, whose tags moto forgets."""
    registered = register(self)
    tags.setdefault(json.loads(registered)["ScalableTargetARN"], {}).update(self._get_param("Tags", {}))
    return registered


def answer_in_turn(self: DomainDispatcherApplication, environ: dict[str, Any], start_response: Any) -> Any:
    """Answer a request when no other is being answered: moto loses changes that two threads make at once."""
    with turn:
        return answer(self, environ, start_response)


def list_tags_for_resource(self: ApplicationAutoScalingResponse) -> str:
    """ListTagsForResource."""
    return json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})


if __name__ == "__main__":
    ApplicationAutoScalingResponse.register_scalable_target = register_and_keep_tags  # type: ignore[method-assign]
    ApplicationAutoScalingResponse.list_tags_for_resource = list_tags_for_resource  # type: ignore[attr-defined]
    DomainDispatcherApplication.__call__ = answer_in_turn  # type: ignore[method-assign]
    main()
