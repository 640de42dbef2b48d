"""Rendered scenes with known objects: for training, samples, load tests and tests."""
