"""Errors of a backfill; each message is one line that names what is wrong and what to do.

detection.errors.UserError
└── BackfillError
    ├── SourceError          the pictures cannot be listed
    ├── JournalError         the journal belongs to another job, is in use, or cannot be written
    └── TargetFailed         the target answers no request of this job, so that going on is useless
"""

from __future__ import annotations

from detection.errors import UserError


class BackfillError(UserError):
    """A backfill cannot begin or go on."""


class SourceError(BackfillError):
    """The pictures cannot be listed."""


class JournalError(BackfillError):
    """The journal belongs to another job, is in use, or cannot be read or written."""


class TargetFailed(BackfillError):
    """The target answers no request of this job, so that going on is useless."""
