"""SQS messages: each carries an event about new objects, or a request."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from serving.aws.function import Event, Function
from serving.aws.object_events import ObjectEvents, sources
from serving.bodies import parse_json
from serving.errors import EventFailed, InvalidRequest, RequestError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord


class QueueEvents:
    """Answers a batch of SQS messages; only the failed messages are reported, so only they are delivered again."""

    name = "SQS"

    def __init__(self, function: Function, objects: ObjectEvents) -> None:
        self._function = function
        self._objects = objects

    def matches(self, event: Event) -> bool:
        """Whether all records are SQS messages."""
        return sources(event) == {"aws:sqs"}

    def answer(self, event: Event, context: LambdaContext) -> dict[str, Any]:
        """The ids of the messages that failed, as SQS wants them."""
        # Imported here: no other kind of event needs it, and importing it delays a cold start.
        from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        if not all(isinstance(record.get("messageId"), str) for record in event["Records"]):
            # Without it a failure could not be reported, after other messages have been answered.
            raise EventFailed("a message of this SQS event has no messageId")
        return dict(
            process_partial_response(dict(event), partial(self._answer_message, context=context), processor, context)
        )

    def _answer_message(self, record: SQSRecord, context: LambdaContext) -> None:
        """Answer one message; raises an error when it shall be delivered again."""
        try:
            message = parse_json(record.body.encode(errors="surrogatepass"))
            if not isinstance(message, dict):
                raise InvalidRequest("the message is not a JSON object")
        except RequestError as error:
            self._function.observer.failed(error, error, record.message_id)
            raise
        if self._objects.matches(message):
            self._objects.process(message, context, record.message_id)
            return
        answer = self._function.respond_directly(message, context, record.message_id)
        if answer.status != 200:
            raise EventFailed(json.loads(answer.body)["error"]["message"])
