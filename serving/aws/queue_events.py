"""SQS messages: each carries an event about new objects, or a request."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from serving.aws.function import Function
from serving.aws.object_events import ObjectEvents
from serving.errors import EventFailed
from serving.events import Event, sources
from serving.messages import Messages

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord


class QueueEvents:
    """Answers a batch of SQS messages; only the failed messages are reported, so only they are delivered again."""

    name = "SQS"

    def __init__(self, function: Function, objects: ObjectEvents) -> None:
        self._function = function
        self._messages = Messages(objects.objects, function.responder)

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
        """Answer one message; raises EventFailed when it shall be delivered again."""
        self._messages.answer(record.body, partial(self._function.predict, context=context), record.message_id)
