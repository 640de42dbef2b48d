"""Predicting runs of the load test against the local stand-ins, from one request at a time."""
