"""Load tests of the service by JMeter, their results, costs and report."""
