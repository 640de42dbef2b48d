"""Errors of the load test; each message is one line that names what is wrong and what to do.

detection.errors.UserError
└── LoadTestError
    ├── ProfileError
    ├── SettingsError
    ├── JMeterError
    ├── TargetError
    ├── PricesError
    └── SamplesError
"""

from pydantic import ValidationError

from detection.errors import UserError

SHOWN_INPUT = 100  # characters
# These problems name the wrong input themselves, or have none that would help.
WITHOUT_INPUT = ("value_error", "missing", "json_invalid")


class LoadTestError(UserError):
    """A load test or a report cannot be made."""


class ProfileError(LoadTestError):
    """A profile or a matrix is wrong."""


class SettingsError(LoadTestError, ValueError):
    """A setting of a platform is unknown or wrong; pydantic reports it as a problem of the field."""


class JMeterError(LoadTestError):
    """JMeter or Java is missing, too old, or did not run."""


class TargetError(LoadTestError):
    """The target does not answer as /predict does."""


class PricesError(LoadTestError):
    """The file of prices is missing or wrong."""


class SamplesError(LoadTestError):
    """A run's folder or its samples cannot be read."""


def first_problem(error: ValidationError, *, whole: str = "") -> str:
    """The first problem that pydantic found, in one line; `whole` names the input for a problem without a field."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    if where and problem["type"] not in WITHOUT_INPUT:
        message += f", not {repr(problem['input'])[:SHOWN_INPUT]}"
    return f"{where or whole}: {message}" if where or whole else message
