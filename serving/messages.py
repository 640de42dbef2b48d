"""The messages of a queue, each an event or a request: the same for the Lambda door and the worker."""

from __future__ import annotations

import json

from serving.bodies import parse_json, request_from
from serving.contract import Call
from serving.errors import EventFailed, InvalidRequest, RequestError
from serving.events import NewObjects, Predict, is_event
from serving.respond import Responder

MAX_MESSAGE_BYTES = 1_048_576  # The limit of SQS.
MAX_RECORDS = 100  # S3 sends one per message.


class Messages:
    """Answers messages; the observer has each answer and each failure. Thread-safe."""

    def __init__(self, objects: NewObjects, responder: Responder) -> None:
        self._objects = objects
        self._responder = responder

    def answer(self, body: str, predict: Predict, message_id: str) -> None:
        """Answer one message; raises EventFailed when it shall be delivered again. Its id is the request's id."""
        try:
            message = _parse(body)
        except RequestError as error:
            self._responder.observer.failed(error, error, message_id)
            raise EventFailed(str(error)) from None
        if is_event(message):
            self._objects.process(message, predict, message_id)
            return
        answer = self._responder.respond(lambda: Call(request_from(message)), predict, message_id)
        if answer.status != 200:
            raise EventFailed(json.loads(answer.body)["error"]["message"])


def _parse(body: str) -> dict[str, object]:
    """The message, without the envelope of SNS if it came that way; raises RequestError."""
    data = body.encode(errors="surrogatepass")
    if len(data) > MAX_MESSAGE_BYTES:
        raise InvalidRequest(f"the message has {len(data)} bytes; the limit of SQS is {MAX_MESSAGE_BYTES}")
    message = _object(data)
    if "TopicArn" in message and isinstance(inner := message.get("Message"), str):
        message = _object(inner.encode(errors="surrogatepass"))
    records = message.get("Records")
    if isinstance(records, list) and len(records) > MAX_RECORDS:
        raise InvalidRequest(f"the event has {len(records)} records; send at most {MAX_RECORDS} in a message")
    return message


def _object(data: bytes) -> dict[str, object]:
    message = parse_json(data)
    if not isinstance(message, dict):
        raise InvalidRequest("the message is not a JSON object")
    return message
