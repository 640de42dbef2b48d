"""Everything that can go wrong, as one tree.

UserError                    whoever runs the program can correct it; every room's tree of errors starts here
DetectionError
├── SetupError               the service cannot start: a setting, or the model
├── OwnResult                an event is about a picture that we wrote: nothing to do
└── RequestError             one request cannot be answered; `status` and `code` are the contract's
    ├── InvalidRequest       400 invalid_request
    ├── ImageNotFound        404 image_not_found
    ├── ImageTooLarge        413 image_too_large
    ├── NotAnImage           415 not_an_image
    │   └── NotJson          415 not_an_image, said of the request's body
    ├── Overloaded           503 overloaded
    ├── StorageRefused       502 storage_refused
    ├── StorageTimeout       504 storage_timeout
    └── InternalError        500 internal_error
"""

from __future__ import annotations

from typing import ClassVar


class UserError(Exception):
    """A mistake that the user can correct; the message is one line: the offender, the limit, what to do."""


class DetectionError(UserError):
    """Base of this room's errors."""


class SetupError(DetectionError):
    """A setting is missing or wrong, or the model cannot be loaded."""


class OwnResult(DetectionError):
    """The picture is an annotated one that this project wrote; answering an event about it would never end."""


class RequestError(DetectionError):
    """A request that cannot be answered; the message is shown to the client."""

    status: ClassVar[int]
    code: ClassVar[str]
    retry_after_s: ClassVar[int | None] = None


class InvalidRequest(RequestError):
    """The body is not the schema, or the filename is not a legal key."""

    status = 400
    code = "invalid_request"


class ImageNotFound(RequestError):
    """The input bucket has no such object."""

    status = 404
    code = "image_not_found"


class ImageTooLarge(RequestError):
    """The picture has more bytes or more pixels than the settings allow."""

    status = 413
    code = "image_too_large"


class NotAnImage(RequestError):
    """The object's bytes are no picture that can be decoded."""

    status = 415
    code = "not_an_image"


class NotJson(NotAnImage):
    """The request's body is not JSON."""


class Overloaded(RequestError):
    """As many requests as MAX_QUEUE allows are already waiting."""

    status = 503
    code = "overloaded"
    retry_after_s = 1


class StorageRefused(RequestError):
    """S3 answered with an error that the operator must mend."""

    status = 502
    code = "storage_refused"


class StorageTimeout(RequestError):
    """S3 did not answer in time, or not at all."""

    status = 504
    code = "storage_timeout"


class InternalError(RequestError):
    """A defect; the log has the details under the request's id."""

    status = 500
    code = "internal_error"
