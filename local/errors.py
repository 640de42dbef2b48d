"""Errors of the programs that run on this machine.

UserError
└── StartError               a program, a port or a container engine is missing, or a program did not start
"""

from __future__ import annotations

from detection.errors import UserError


class StartError(UserError):
    """A program, a port or a container engine is missing, or a program did not start."""
