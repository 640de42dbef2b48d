"""Predicting latency and cost of traffic that was never run, with the error of each prediction known."""
