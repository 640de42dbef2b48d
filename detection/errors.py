"""What can go wrong between a picture and its detections.

UserError                    base of every room's errors that a user can correct
└── DetectionError
    ├── ModelError           a model folder lacks a file, or a file in it is damaged
    ├── UnknownLabel         the model has no such label
    ├── PictureTooLarge      the picture has too many pixels
    └── NotAPicture          the bytes cannot be decoded as a picture
"""

from __future__ import annotations


class UserError(Exception):
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
