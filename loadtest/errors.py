"""Errors of the load test; each message is one line that names what is wrong and what to do.

LoadTestError
├── ProfileError
├── JMeterError
├── TargetError
├── PricesError
└── SamplesError
"""


class LoadTestError(Exception):
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
