"""The Lambda function: which kind of event is answered by which module."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from serving.aws.observe import CloudWatchObserver, metrics
from serving.contract import request_from
from serving.predictor import Predictor
from serving.respond import HttpAnswer, Responder

Event = Mapping[str, Any]


class EventKind(Protocol):
    """One kind of event; `name` is for the message about events of no known kind."""

    name: str

    def matches(self, event: Event) -> bool:
        """Whether the event is of this kind; raises nothing, whatever the event holds."""
        ...

    def answer(self, event: Event, context: LambdaContext) -> Any:
        """Answer in the form that the sender expects; raises EventFailed where the sender expects nothing."""
        ...


class Function:
    """A predictor, its responder and observer, and the kinds of events that it understands."""

    def __init__(self, predictor: Predictor, responder: Responder, observer: CloudWatchObserver) -> None:
        self.predictor = predictor
        self.responder = responder
        self.observer = observer

    def respond_directly(self, body: object, request_id: str) -> HttpAnswer:
        """Answer a request that is already parsed."""
        return self.responder.respond(lambda: request_from(body), self.predictor.predict, request_id)

    def answer(self, event: object, context: LambdaContext, kinds: Sequence[EventKind]) -> Any:
        """Answer an event of the first kind that matches; any other event is taken for a direct request."""
        metrics.add_metric("events", MetricUnit.Count, 1)
        if isinstance(event, Mapping):
            for kind in kinds:
                if kind.matches(event):
                    return kind.answer(event, context)
        return json.loads(self.respond_directly(event, context.aws_request_id).body)
