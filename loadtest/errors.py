"""Errors of the load test; each message is one line that names what is wrong and what to do.

UserError
└── LoadTestError
    ├── ProfileError         a profile or a matrix cannot be used
    ├── JMeterError          JMeter or Java is missing, too old, or did not run
    ├── TargetError          the target does not answer as /predict does
    ├── PricesError          the file of prices is missing or wrong
    └── SamplesError         a run's folder or its samples cannot be read
"""

from detection.errors import UserError


class LoadTestError(UserError):
    """Anything that stops a load test or a report."""


class ProfileError(LoadTestError):
    """A profile or a matrix cannot be used as it stands."""


class JMeterError(LoadTestError):
    """JMeter or Java is missing, too old, or did not run."""


class TargetError(LoadTestError):
    """The target does not answer as /predict does."""


class PricesError(LoadTestError):
    """The file of prices is missing or wrong."""


class SamplesError(LoadTestError):
    """A run's folder or its samples cannot be read."""
