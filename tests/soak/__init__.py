"""A soak test: the service under changing load and faults for minutes or hours, `python -m tests.soak`."""
