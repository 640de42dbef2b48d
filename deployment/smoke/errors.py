"""Errors of the smoke test.

UserError
└── SmokeError               the deployment cannot be asked
"""

from __future__ import annotations

from detection.errors import UserError


class SmokeError(UserError):
    """The deployment cannot be asked: the URL, the credentials or the network are wrong."""
