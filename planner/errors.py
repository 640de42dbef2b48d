"""Errors of the planner; each message is one line that names what is wrong and what to do.

detection.errors.UserError
└── PlannerError
    ├── RulesError
    ├── DemandError
    └── RecordingError
"""

from __future__ import annotations

from detection.errors import UserError


class PlannerError(UserError):
    """A plan cannot be made."""


class RulesError(PlannerError):
    """The rules of a platform are unknown or wrong."""


class DemandError(PlannerError):
    """The demand over time cannot be simulated."""


class RecordingError(PlannerError):
    """A recording of an autoscaler cannot be read."""
