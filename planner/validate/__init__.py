"""Comparing predictions with theory, with recorded platforms and with other simulators."""
