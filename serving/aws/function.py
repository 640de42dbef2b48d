"""The Lambda function: which kind of event is answered by which module."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from serving.aws.observe import CloudWatchObserver, metrics
from serving.bodies import request_from
from serving.bounds import Deadline
from serving.contract import Answer, Call
from serving.events import Event
from serving.keys import ApiKeys
from serving.predictor import Predictor
from serving.respond import HttpAnswer, Responder

ANSWERING_S = 0.5  # Kept from an invocation's time for logs, metrics and the response.
MAX_THREADS = 4  # One works; the others bound the requests that are past their deadline.


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
        self.keys = ApiKeys(predictor.settings.api_keys)
        self._threads = ThreadPoolExecutor(MAX_THREADS, "predict")

    def predict(self, call: Call, context: LambdaContext, *, refuse_results: bool = False) -> Answer:
        """Predict before the request's deadline and before Lambda ends the invocation; see Predictor.predict.

        The work has a thread of its own, because a wait for S3 cannot be interrupted. After the deadline the thread
        ends at its next step, in this invocation or in the next.
        """
        left_s = context.get_remaining_time_in_millis() / 1000 - ANSWERING_S
        deadline = Deadline(min(self.predictor.settings.request_timeout_s, max(left_s, 0)))
        predict = partial(self.predictor.predict, refuse_results=refuse_results)
        work = self._threads.submit(copy_context().run, predict, call, deadline)
        if not wait([work], deadline.remaining_s()).done:
            work.cancel()
            raise deadline.exceeded("be answered")
        return work.result()

    def respond_directly(self, body: object, context: LambdaContext, request_id: str) -> HttpAnswer:
        """Answer a request that is already parsed."""
        predict = partial(self.predict, context=context)
        return self.responder.respond(lambda: Call(request_from(body)), predict, request_id)

    def answer(self, event: object, context: LambdaContext, kinds: Sequence[EventKind]) -> Any:
        """Answer an event of the first kind that matches; any other event is taken for a direct request."""
        metrics.add_metric("events", MetricUnit.Count, 1)
        if isinstance(event, Mapping):
            for kind in kinds:
                if kind.matches(event):
                    return kind.answer(event, context)
        return json.loads(self.respond_directly(event, context, context.aws_request_id).body)
