"""Predicts latency, errors and the bill of a platform for traffic that was never run."""
