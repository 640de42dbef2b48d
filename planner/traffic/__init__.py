"""Traffic: when requests arrive, from a load profile, a shape, a trace or access logs, in chunks."""

from planner.traffic.load import Traffic, load_traffic

__all__ = ["Traffic", "load_traffic"]
