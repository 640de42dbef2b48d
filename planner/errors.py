"""Errors of the planner; each message is one line that names what is wrong and what to do.

detection.errors.UserError
└── PlannerError
    ├── RulesError       a rule of a platform is outside its range
    ├── TrafficError     arrival times or service times cannot be used
    ├── ObjectiveError   an objective cannot be read
    ├── MeasuredError    the runs have not what a plan needs
    └── DataError        recorded data to validate against are missing or damaged
"""

from __future__ import annotations

from detection.errors import UserError


class PlannerError(UserError):
    """A prediction cannot be made."""


class RulesError(PlannerError):
    """A rule of a platform is outside its range."""


class TrafficError(PlannerError):
    """Arrival times or service times cannot be used."""


class ObjectiveError(PlannerError):
    """An objective cannot be read."""


class MeasuredError(PlannerError):
    """The measured runs do not have what a plan needs."""


class DataError(PlannerError):
    """Recorded data to validate against are missing or damaged."""
