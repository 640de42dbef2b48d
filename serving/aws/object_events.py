"""Events about new objects: S3's own, and S3's by EventBridge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from serving import events
from serving.aws.function import Function
from serving.contract import PredictAnswer
from serving.events import Event, NewObject, NewObjects


class ObjectEvents:
    """Annotates every new picture that an event is about; events about the service's own results are ignored."""

    name = events.NAME

    def __init__(self, function: Function) -> None:
        self._function = function
        self.objects = NewObjects(function.predictor.settings, function.observer)

    def matches(self, event: Event) -> bool:
        """Whether it is an event of an AWS service rather than a direct request."""
        return events.is_event(event)

    def answer(self, event: Event, context: LambdaContext) -> dict[str, list[str]]:
        """Process every new picture; see NewObjects.process."""
        return self.objects.process(event, partial(self._function.predict, context=context), context.aws_request_id)

    def annotate(
        self, created: NewObject, options: Mapping[str, Any], context: LambdaContext, request_id: str
    ) -> PredictAnswer:
        """Process one picture with the options of a request; raises OwnResult for results and folders."""
        return self.objects.annotate(created, options, partial(self._function.predict, context=context), request_id)
