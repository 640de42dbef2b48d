"""Benchmarks: the speed of engines, whole requests and cold starts, compared with baselines and the machine's peak."""
