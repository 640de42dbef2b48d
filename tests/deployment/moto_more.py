"""moto's server with the one action that moto lacks and without which the provider makes no scalable target.

python -m tests.deployment.moto_more -H 127.0.0.1 -p PORT
"""

from __future__ import annotations

import json

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.server import main

register = ApplicationAutoScalingResponse.register_scalable_target
tags: dict[str, dict[str, str]] = {}


def register_and_keep_tags(self: ApplicationAutoScalingResponse) -> str:
    """RegisterScalableTarget, whose tags moto forgets."""
    answer = register(self)
    tags.setdefault(json.loads(answer)["ScalableTargetARN"], {}).update(self._get_param("Tags", {}))
    return answer


def list_tags_for_resource(self: ApplicationAutoScalingResponse) -> str:
    """ListTagsForResource."""
    return json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})


if __name__ == "__main__":
    ApplicationAutoScalingResponse.register_scalable_target = register_and_keep_tags  # type: ignore[method-assign]
    ApplicationAutoScalingResponse.list_tags_for_resource = list_tags_for_resource  # type: ignore[attr-defined]
    main()
