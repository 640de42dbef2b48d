"""Errors of the rollout.

UserError
└── RolloutError             the config, the credentials, AWS, Terraform or the container engine stop it
"""

from __future__ import annotations

from detection.errors import UserError


class RolloutError(UserError):
    """The deployment cannot go on; the message is one line that says why and what to do."""
