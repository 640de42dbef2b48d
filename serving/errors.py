"""What can go wrong while serving.

UserError
├── SettingsError            the process cannot start: a setting is missing or wrong
├── QueueError               SQS refused a request of the worker, or did not answer
└── RequestError             one request cannot be answered; `status` and `code` are the contract's
    ├── InvalidRequest       400 invalid_request
    ├── Unauthorized         401 unauthorized
    ├── Forbidden            403 forbidden
    ├── ImageNotFound        404 image_not_found
    ├── PathNotFound         404 not_found
    ├── MethodNotAllowed     405 method_not_allowed
    ├── NotAcceptable        406 not_acceptable
    ├── ImageTooLarge        413 image_too_large
    ├── NotAnImage           415 not_an_image
    ├── UnsupportedBody      415 unsupported_media_type
    ├── InternalError        500 internal_error
    ├── StorageRefused       502 storage_refused
    ├── Overloaded           503 overloaded
    ├── StorageBusy          503 storage_busy
    ├── StorageTimeout       504 storage_timeout
    └── DeadlineExceeded     504 deadline_exceeded
EventFailed                  AWS shall deliver the event again
OwnResult                    an event is about a picture that this service wrote
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from detection.errors import DetectionError, NotAPicture, PictureTooLarge, PrintableError, UnknownLabel, UserError


class SettingsError(UserError):
    """A setting is missing or wrong."""


class QueueError(UserError):
    """SQS refused a request of the worker, or did not answer; the message never contains credentials."""


class RequestError(UserError):
    """A request that cannot be answered; the message is shown to the client."""

    status: ClassVar[int]
    code: ClassVar[str]
    headers: Mapping[str, str] = {}


class InvalidRequest(RequestError):
    """The body does not match the schema, or the filename is not a legal key."""

    status = 400
    code = "invalid_request"


class Unauthorized(RequestError):
    """API_KEYS is set, and the request has no key."""

    status = 401
    code = "unauthorized"
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


class Forbidden(RequestError):
    """The request's key is not one of API_KEYS."""

    status = 403
    code = "forbidden"


class ImageNotFound(RequestError):
    """The input bucket has no such object."""

    status = 404
    code = "image_not_found"


class PathNotFound(RequestError):
    """The service has no such path."""

    status = 404
    code = "not_found"


class MethodNotAllowed(RequestError):
    """The path exists, but not with this method; `allowed` are the methods that it has."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, allowed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.headers = {"Allow": ", ".join(allowed)}


class NotAcceptable(RequestError):
    """The Accept header allows neither JSON nor the annotated picture as JPEG."""

    status = 406
    code = "not_acceptable"


class ImageTooLarge(RequestError):
    """The picture has more bytes or pixels than the settings allow, or the annotated one does not fit a response."""

    status = 413
    code = "image_too_large"


class NotAnImage(RequestError):
    """The bytes are not a picture that can be decoded."""

    status = 415
    code = "not_an_image"


class UnsupportedBody(RequestError):
    """The request's body is neither JSON, nor a picture, nor a form."""

    status = 415
    code = "unsupported_media_type"


class InternalError(RequestError):
    """A defect in the service; the log has the details under the request's id."""

    status = 500
    code = "internal_error"


class StorageRefused(RequestError):
    """S3 answered with an error that the operator must correct."""

    status = 502
    code = "storage_refused"


class Overloaded(RequestError):
    """MAX_QUEUE requests are already in work or waiting, or as many as can be answered in time."""

    status = 503
    code = "overloaded"
    headers: Mapping[str, str] = {"Retry-After": "1"}


class StorageBusy(RequestError):
    """S3 asks for fewer requests, and did so for every try."""

    status = 503
    code = "storage_busy"
    headers: Mapping[str, str] = {"Retry-After": "1"}


class StorageTimeout(RequestError):
    """S3 did not answer in time, or not at all."""

    status = 504
    code = "storage_timeout"


class DeadlineExceeded(RequestError):
    """The request took longer than REQUEST_TIMEOUT_S, its waiting included."""

    status = 504
    code = "deadline_exceeded"


class EventFailed(PrintableError):
    """An event that was not answered in full: raised so that AWS delivers it again and finally sets it aside."""


class OwnResult(PrintableError):
    """The picture is an annotated one that this service wrote; answering events about results would never end."""


def request_errors(kind: type[RequestError] = RequestError) -> list[type[RequestError]]:
    """Every error of the contract."""
    return [k for sub in kind.__subclasses__() for k in (sub, *request_errors(sub))]


_TRANSLATED: dict[type[DetectionError], type[RequestError]] = {
    UnknownLabel: InvalidRequest,
    PictureTooLarge: ImageTooLarge,
    NotAPicture: NotAnImage,
}


def to_request_error(error: Exception) -> RequestError:
    """Translate any error into one of the contract; a defect becomes an InternalError that shows no details."""
    if isinstance(error, RequestError):
        return error
    for kind, translated in _TRANSLATED.items():
        if isinstance(error, kind):
            return translated(str(error))
    return InternalError("an unexpected error; the log has it under this request_id")
