"""What can go wrong between a picture and its detections.

PrintableError               the message has no control characters, whatever a name in it has
└── UserError                base of every room's errors that a user can correct
    └── DetectionError
        ├── ModelError       a model folder lacks a file, or a file in it is damaged
        ├── UnknownLabel     the model has no such label
        ├── PictureTooLarge  the picture has too many pixels
        └── NotAPicture      the bytes cannot be decoded as a picture
"""

from __future__ import annotations

import re

# Control characters, line separators, bidirectional overrides and lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class PrintableError(Exception):
    """An error whose text can be printed, logged and sent: a name in it cannot forge a line or colour a terminal."""

    def __str__(self) -> str:
        return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), super().__str__())


class UserError(PrintableError):
    """A mistake that the user can correct; the message is one line: the offender, the limit, what to do."""


class DetectionError(UserError):
    """Base of this room's errors."""


class ModelError(DetectionError):
    """The model folder cannot be used: a file is missing or damaged."""


class UnknownLabel(DetectionError):
    """A label was asked for that the model does not have."""


class PictureTooLarge(DetectionError):
    """The picture has more pixels than allowed."""


class NotAPicture(DetectionError):
    """The bytes are not a picture that can be decoded."""
